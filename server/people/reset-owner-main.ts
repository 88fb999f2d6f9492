import { makeLog } from "../../lib/log.ts";
import { readProcessSettings } from "../../lib/process-settings.ts";
import type { Definitions } from "../../lib/settings.ts";
import { text } from "../../lib/settings.ts";
import { connectDatabase } from "../db/database.ts";
import { EmbeddedDatabaseError, reachEmbeddedDatabase } from "../db/embedded.ts";
import { serverSettings } from "../settings.ts";
import { NoOwner, resetOwner } from "./reset-owner.ts";

const { dataDir, databaseUrl, publicUrl, logLevel } = serverSettings;

const resetSettings = {
  email: { description: "Which owner, when there are several.", parse: text },
  dataDir,
  databaseUrl,
  publicUrl,
  logLevel: { ...logLevel, default: "warn" },
} as const satisfies Definitions;

/** `lumetry server reset-owner`: lets an owner in again who has lost the password. Gives the exit code. */
export async function main(argv: string[]): Promise<number> {
  const settings = readProcessSettings("lumetry server reset-owner", resetSettings, argv);
  const log = makeLog(settings.logLevel, { process: "reset-owner" });
  try {
    await using stack = new AsyncDisposableStack();
    const target = settings.databaseUrl
      ? { url: settings.databaseUrl }
      : stack.use(await reachEmbeddedDatabase({ directory: settings.dataDir, log })).connection;
    const { db } = stack.use(connectDatabase(target, { log, connections: 1 }));
    const { owner, secret } = await resetOwner(db, settings.email);
    const url = settings.publicUrl ?? "https://…";
    process.stdout.write(
      `${owner.display_name} (${owner.email}) sets a new password with:\n\n` +
        `  lumetry login --server ${url} --invitation ${secret}\n\n` +
        "It works once, within 7 days, and is shown this once only. The old password and all sessions\n" +
        "and access tokens of theirs end when it is used. The audit log has a line about this.\n",
    );
    return 0;
  } catch (error) {
    const isMistake = error instanceof NoOwner || error instanceof EmbeddedDatabaseError;
    if (!isMistake) log.error({ err: error }, "no owner could be reset");
    process.stderr.write(`lumetry server reset-owner: ${(error as Error).message}\n`);
    return 1;
  }
}
