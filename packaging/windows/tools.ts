import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** Runs a tool of the machine that builds; where it is missing, the error says what to install. */
export async function runTool(
  file: string,
  words: string[],
  debianPackage: string,
): Promise<string> {
  try {
    const { stdout, stderr } = await execute(file, words);
    return stdout + stderr;
  } catch (error) {
    const {
      code,
      stdout = "",
      stderr = "",
    } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (code === "ENOENT") {
      throw new Error(
        `${file} is missing, which packages for Windows need: on Debian, apt-get install ${debianPackage}. Or choose others with --target`,
      );
    }
    throw new Error(`${file} ${words[0]} failed:\n${stdout}${stderr}`.trimEnd());
  }
}
