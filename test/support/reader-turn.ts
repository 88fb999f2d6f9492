import { systemClock } from "../../lib/clock.ts";
import { silentLog } from "../../lib/log.ts";
import type { DatabaseConnection } from "../../server/db/database.ts";
import { type Reader, takeTurn } from "../../server/readers/reader.ts";
import { enterReader } from "../../server/readers/store.ts";
import { eventually } from "./eventually.ts";

const going = new AbortController().signal;

/** Lets a reader read now what is in a workspace's log, whatever a server's own readers do beside. */
export async function readNow(reader: Reader, connection: DatabaseConnection): Promise<void> {
  const options = { ...connection, log: silentLog, clock: systemClock };
  // A server gives new workspaces their places within a second.
  await enterReader(connection.pool, reader.name);
  await eventually("the reader has its turn", async () => {
    await connection.pool.query("update readers set due_at = wall_clock()");
    return takeTurn(reader, options, going);
  });
}
