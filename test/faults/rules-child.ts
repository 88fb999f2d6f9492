/** A server's evaluation of rules in a process of its own, which may be killed at any time. */
import { setTimeout as wait } from "node:timers/promises";
import { systemClock } from "../../lib/clock.ts";
import { silentLog } from "../../lib/log.ts";
import { connectDatabase } from "../../server/db/database.ts";
import { startReader } from "../../server/readers/reader.ts";
import { rulesReader } from "../../server/rules/reader.ts";

const [url = "", bug = ""] = process.argv.slice(2);
const { db, pool } = connectDatabase({ url }, { log: silentLog, connections: 6 });
// Small portions and short leases: many moments at which it can be killed.
const reader = { ...rulesReader({ log: silentLog }), portionBytes: 12_000, keptMs: 200 };

startReader(reader, {
  db,
  pool,
  log: silentLog,
  clock: systemClock,
  leaseMs: 600,
  pollMs: 20,
  onRead: (_reader, segments) => segments > 0 && process.send?.("read"),
});

/** As if windows were kept in memory only: whoever takes over knows no point of before. */
async function forgetPoints(): Promise<void> {
  for (;;) {
    await wait(50);
    await pool
      .query("delete from rule_points")
      .then(() => pool.query("update rule_progress set state_token = ''"))
      .catch(() => {}); // it may lose against an evaluator that writes
  }
}
if (bug === "forget-points") void forgetPoints();
process.once("disconnect", () => process.exit());
