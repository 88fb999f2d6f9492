/** A server's readers of the log in a process of its own, which may be killed or stopped at any time. */
import { setTimeout as wait } from "node:timers/promises";
import { systemClock } from "../../lib/clock.ts";
import { silentLog } from "../../lib/log.ts";
import { makePackingThread } from "../../server/chunks/packing-thread.ts";
import { chunkReader } from "../../server/chunks/reader.ts";
import { connectDatabase } from "../../server/db/database.ts";
import { type Reader, startReader } from "../../server/readers/reader.ts";

const [url = "", bug = ""] = process.argv.slice(2);
const { db, pool } = connectDatabase({ url }, { log: silentLog, connections: 6 });
const options = {
  db,
  pool,
  log: silentLog,
  clock: systemClock,
  leaseMs: 600,
  pollMs: 20,
  onRead: () => process.send?.("read"),
};

/** As if it followed numbers: forgets what was still running below them. */
async function forgetRunning(): Promise<void> {
  for (;;) {
    await wait(20);
    await pool
      .query(
        `update readers
         set seen = format('%s:%s:', pg_snapshot_xmax(seen), pg_snapshot_xmax(seen))::pg_snapshot
         where reader = 'noting'`,
      )
      .catch(() => {}); // it may lose against another one that does the same
  }
}

const noting: Reader = {
  name: "noting",
  patience: { ms: 0, bytes: 1 },
  portionBytes: 3_000,
  async read(segments) {
    return async (transaction) => {
      for (const { segmentId } of segments) {
        await transaction
          .insertInto("effects" as never)
          .values({ segment_id: segmentId } as never)
          .execute();
      }
    };
  },
};

startReader(noting, options);
startReader(
  chunkReader({
    db,
    packing: makePackingThread(),
    log: silentLog,
    clock: systemClock,
    retentionMs: 30 * 86_400_000,
    patience: { ms: 0, bytes: 1 },
    compaction: { fanIn: 3, graceMs: 0, quietMs: 0 },
  }),
  options,
);
if (bug === "forget-running") void forgetRunning();
process.once("disconnect", () => process.exit());
