import { spawn } from "node:child_process";

export interface Answer {
  code: number;
  output: string;
  errors: string;
}

/** Runs a program with words, never through a shell. Rejects only if it cannot be started. */
export type Run = (file: string, words: string[], input?: string) => Promise<Answer>;

export const run: Run = (file, words, input = "") =>
  new Promise((resolve, reject) => {
    const child = spawn(file, words, { stdio: ["pipe", "pipe", "pipe"], windowsHide: true });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    child.stdin.on("error", () => {}); // it may end without reading
    child.stdin.end(input);
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? 1, output, errors }));
  });
