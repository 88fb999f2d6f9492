import test from "ava";
import { silentLog } from "../../../lib/log.ts";
import { connectDatabase, migrate } from "../../../server/db/database.ts";
import { lookAfterOne } from "../../../server/system-alerts/round.ts";
import { enterWatches } from "../../../server/system-alerts/store.ts";
import { freshDatabase } from "../../support/database.ts";

test("a look that fails makes no gap in the watch, and hides none", async (t) => {
  await using database = await freshDatabase();
  await using connection = connectDatabase(
    { url: database.url },
    { log: silentLog, connections: 2 },
  );
  const { db, pool } = connection;
  await migrate(db);
  await pool.query("insert into workspaces values ('wsp.one', 'W', 1)");
  await enterWatches(db);
  // Whoever looks at alerts fails.
  await pool.query("alter table alerts rename to hidden");
  /** Fails to look so long after the last look; answers how long ago that was, and when the next is due. */
  const failAfter = async (seconds: number) => {
    await pool.query(
      "update system_alert_watches set due_at = wall_clock(), looked_at = wall_clock() - $1 * interval '1 s'",
      [seconds],
    );
    const failures: unknown[] = [];
    await lookAfterOne({
      db,
      heartbeatIntervalMs: 30_000,
      onError: (error) => failures.push(error),
    });
    t.is(failures.length, 1);
    const { rows } = await pool.query<{ looked: number; due: number }>(
      `select extract(epoch from due_at - looked_at)::float8 as looked,
         extract(epoch from due_at - wall_clock())::float8 as due from system_alert_watches`,
    );
    t.true((rows[0]?.due ?? 0) <= 5);
    return Math.round(rows[0]?.looked ?? 0);
  };
  t.is(await failAfter(20), 5);
  t.true((await failAfter(600)) >= 605);
});
