import { spawn } from "node:child_process";

export interface Ended {
  code: number | null;
  output: string;
  errors: string;
}

/** Runs a program to its end; says what it said. */
export function run(
  command: string,
  parameters: string[],
  options: { input?: string; cwd?: string; environment?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  const { input = "", cwd, environment = process.env } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, parameters, { cwd, env: environment });
    let [output, errors] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output, errors }));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

/** The same, for what has to succeed; answers its output. */
export async function must(
  command: string,
  parameters: string[],
  options: Parameters<typeof run>[2] = {},
): Promise<string> {
  const { code, output, errors } = await run(command, parameters, options);
  if (code === 0) return output;
  throw new Error(`${command} ${parameters.join(" ")} ended with ${code}:\n${output}${errors}`);
}
