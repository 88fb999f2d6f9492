import readline from "node:readline";
import { Writable } from "node:stream";
import { CliError, ExitCode, usageError } from "./errors.ts";

/** Questions to the person at the keyboard, or lines that a script pipes in. */
export interface Prompt {
  /** Whether a person can answer. */
  readonly interactive: boolean;
  /** One line; undefined when a script has no more. */
  line(question: string): Promise<string | undefined>;
  /** One line that is not shown while it is typed. */
  secret(question: string): Promise<string | undefined>;
  /** All that is piped in. */
  everything(): Promise<string>;
}

/** Questions go to `output`, which should be standard error, so that answers can be piped on. */
export function makePrompt(input: NodeJS.ReadStream, output: NodeJS.WritableStream): Prompt {
  const interactive = input.isTTY === true;
  let piped: AsyncIterator<string> | undefined;

  const ask = (question: string, echo: boolean) =>
    new Promise<string>((resolve, reject) => {
      const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
      const reader = readline.createInterface({
        input,
        output: echo ? output : silent,
        terminal: true,
        historySize: 0,
      });
      const end = () => {
        reader.close();
        if (!echo) output.write("\n");
      };
      if (!echo) output.write(question);
      reader.question(echo ? question : "", (answer) => {
        reader.removeAllListeners("close");
        end();
        resolve(answer);
      });
      reader.once("SIGINT", () => {
        reader.removeAllListeners("close");
        end();
        if (echo) output.write("\n");
        reject(new CliError("Interrupted.", { exitCode: ExitCode.INTERRUPTED }));
      });
      reader.once("close", () => reject(usageError("The input ended before there was an answer.")));
    });

  const nextPiped = async () => {
    piped ??= readline
      .createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
      [Symbol.asyncIterator]();
    const { value, done } = await piped.next();
    return done ? undefined : value;
  };

  return {
    interactive,
    line: (question) => (interactive ? ask(question, true) : nextPiped()),
    secret: (question) => (interactive ? ask(question, false) : nextPiped()),
    async everything() {
      const chunks: Buffer[] = [];
      for await (const chunk of input) chunks.push(Buffer.from(chunk));
      return Buffer.concat(chunks).toString("utf8");
    },
  };
}
