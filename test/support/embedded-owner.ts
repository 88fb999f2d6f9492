import { silentLog } from "../../lib/log.ts";
import { startEmbeddedDatabase } from "../../server/db/embedded.ts";

/** Run as a process of its own: starts the database of its first argument and tells how that went. */
try {
  const directory = process.argv[2] ?? "";
  const { connection } = await startEmbeddedDatabase({ directory, log: silentLog });
  process.send?.({ connection });
} catch (error) {
  process.send?.({ error: (error as Error).message });
}
process.on("message", () => process.exit());
