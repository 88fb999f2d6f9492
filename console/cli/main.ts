import { CommanderError } from "commander";
import { exitWhenDone } from "../../lib/exit.ts";
import { type CliError, ExitCode, explain } from "./errors.ts";
import { makeProgram } from "./program.ts";
import { plainLines, type Terminal } from "./terminal.ts";

exitWhenDone();
const { program, cli } = await makeProgram(process.env, process.argv.slice(2));

// A reader that has seen enough, such as head, is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? ExitCode.OK : ExitCode.FAILED);
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said all there is to say, and asks for 1 where the command was mistyped.
    process.exitCode = error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
  } else process.exitCode = report(explain(error, cli.connection?.called), cli.terminal);
} finally {
  cli.close();
}

function report({ message, hint, exitCode }: CliError, { paint }: Terminal): number {
  const text = `lumetry: ${plainLines(message)}`;
  process.stderr.write(`${process.stderr.isTTY ? paint(text, "red") : text}\n`);
  if (hint !== undefined) process.stderr.write(`${plainLines(hint)}\n`);
  return exitCode;
}
