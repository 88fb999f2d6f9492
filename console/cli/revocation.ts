import type { Cli } from "./cli.ts";
import { CliError, usageError } from "./errors.ts";
import { plain } from "./terminal.ts";

/** Has a person type the name of what is to end for good; throws unless they do. */
export async function confirmRevocation(cli: Cli, name: string): Promise<void> {
  if (!cli.prompt.interactive) {
    throw usageError(
      "Revocation is final, and nobody is here to confirm it.",
      "Add --yes to revoke without being asked.",
    );
  }
  cli.note(
    `Revoking "${plain(name)}" is final: all its credentials end at once, everywhere, and it can never come back.`,
  );
  const answer = await cli.prompt.line("Type its name to go on: ");
  if (answer?.trim() !== name.trim())
    throw new CliError("That is not its name; nothing was changed.");
}
