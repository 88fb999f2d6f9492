import test from "ava";
import { systemClock } from "../../lib/clock.ts";
import { silentLog } from "../../lib/log.ts";
import { connectDatabase } from "../../server/db/database.ts";
import { makeReadiness } from "../../server/readiness.ts";
import { freshDatabase } from "../support/database.ts";
import { makeManualClock } from "../support/manual-clock.ts";

const options = { log: silentLog, connections: 1 };

test("a server that stops is not ready, however well its database is", async (t) => {
  await using database = await freshDatabase();
  await using connection = connectDatabase({ url: database.url }, options);
  const draining = new AbortController();
  const readiness = makeReadiness(connection.db, draining.signal, systemClock);
  t.deepEqual(await readiness.reasons(), []);
  draining.abort();
  t.deepEqual(await readiness.reasons(), ["the server is stopping"]);
});

test("a database that keeps everybody waiting is not waited for longer than two seconds", async (t) => {
  await using database = await freshDatabase();
  await using connection = connectDatabase({ url: database.url }, options);
  const only = await connection.pool.connect(); // nobody else gets in
  const clock = makeManualClock();
  const readiness = makeReadiness(connection.db, new AbortController().signal, clock);
  const asked = [readiness.reasons(), readiness.reasons()];
  clock.advance(2_000);
  const late = ["the database has not answered within 2 s"];
  t.deepEqual(await Promise.all(asked), [late, late]);
  t.is(connection.pool.waitingCount, 1); // asked once, however many want to know
  only.release();
});
