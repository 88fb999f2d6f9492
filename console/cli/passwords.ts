import type { Cli } from "./cli.ts";
import { usageError } from "./errors.ts";

const LEAST = 12;

/** From LUMETRY_PASSWORD, a person at the keyboard, or a line of standard input. */
export async function askPassword(cli: Cli, question = "Password: "): Promise<string> {
  const given = cli.environment.LUMETRY_PASSWORD || (await cli.prompt.secret(question));
  if (!given) {
    throw usageError(
      "There is no password.",
      "Type it when asked, pipe it to standard input, or set LUMETRY_PASSWORD.",
    );
  }
  return given;
}

/** A new password; a person types it twice. */
export async function askNewPassword(cli: Cli, variable = "LUMETRY_PASSWORD"): Promise<string> {
  const given = cli.environment[variable];
  if (given) return given;
  for (;;) {
    const question = `New password (at least ${LEAST} characters): `;
    const first = await cli.prompt.secret(question);
    if (!first) {
      throw usageError(
        "There is no new password.",
        `Type it when asked, pipe it to standard input, or set ${variable}.`,
      );
    }
    if (!cli.prompt.interactive) return first;
    if (first.length < LEAST) cli.note(`That has fewer than ${LEAST} characters.`);
    else if ((await cli.prompt.secret("The same again: ")) === first) return first;
    else cli.note("The two were not the same.");
  }
}
