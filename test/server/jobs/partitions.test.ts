import test from "ava";
import { silentLog } from "../../../lib/log.ts";
import { connectDatabase, type DatabaseConnection, migrate } from "../../../server/db/database.ts";
import { keepPartitions, pruneBatches } from "../../../server/jobs/partitions.ts";
import { freshDatabase } from "../../support/database.ts";

const DAY = 86_400_000;
const KEPT = 30 * DAY;

let database: Awaited<ReturnType<typeof freshDatabase>>;
let connection: DatabaseConnection;
let name: string;

test.beforeEach(async () => {
  database = await freshDatabase();
  connection = connectDatabase({ url: database.url }, { log: silentLog, connections: 8 });
  await migrate(connection.db);
  const { rows } = await connection.pool.query<{ name: string }>(
    "select current_database() as name",
  );
  name = rows[0]?.name ?? "";
});
test.afterEach.always(async () => {
  await connection?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

/** The database's clock from now on, also for connections that are open. */
async function shift(days: number) {
  await connection.pool.query(`alter database ${name} set lumetry.clock_shift = '${days} days'`);
  await connection[Symbol.asyncDispose]();
  connection = connectDatabase({ url: database.url }, { log: silentLog, connections: 8 });
}

async function partitions(): Promise<string[]> {
  const { rows } = await connection.pool.query<{ name: string }>(
    "select relid::regclass::text as name from pg_partition_tree('segments') where isleaf",
  );
  return rows.map((row) => row.name).sort();
}

const dayName = (days: number) =>
  `segments_${new Date(Date.now() + days * DAY).toISOString().slice(0, 10).replaceAll("-", "")}`;

async function store(points: number) {
  await connection.pool.query(
    "insert into segments (workspace_id, start_ms, end_ms, points, body) values ('w', 1, 2, $1, '')",
    [points],
  );
}

async function storedIn() {
  const { rows } = await connection.pool.query<{ place: string; points: number }>(
    "select tableoid::regclass::text as place, points::int from segments order by points",
  );
  return rows.map(({ place, points }) => [points, place]);
}

test.serial("there are partitions from today to three days ahead, made once", async (t) => {
  await Promise.all([keepPartitions(connection.db, KEPT), keepPartitions(connection.db, KEPT)]);
  await keepPartitions(connection.db, KEPT);
  t.deepEqual(await partitions(), [0, 1, 2, 3].map(dayName).concat("segments_default").sort());
  await store(1);
  t.deepEqual(await storedIn(), [[1, dayName(0)]]);
});

test.serial("what arrived before its day had a partition moves into it", async (t) => {
  await store(1);
  await shift(1);
  await store(2);
  t.deepEqual(await storedIn(), [
    [1, "segments_default"],
    [2, "segments_default"],
  ]);
  await keepPartitions(connection.db, KEPT);
  t.deepEqual(await storedIn(), [
    [1, "segments_default"],
    [2, dayName(1)],
  ]);
});

test.serial("partitions go when all of their day is past its time, and not before", async (t) => {
  await keepPartitions(connection.db, KEPT);
  await store(1);
  await shift(30);
  await keepPartitions(connection.db, KEPT);
  t.deepEqual(await storedIn(), [[1, dayName(0)]]);
  await shift(31);
  await keepPartitions(connection.db, KEPT);
  t.deepEqual(await storedIn(), []);
  t.false((await partitions()).includes(dayName(0)));
  t.true((await partitions()).includes(dayName(1)));
});

test.serial("a day that is over goes once every reader has read it, and not before", async (t) => {
  await keepPartitions(connection.db, KEPT);
  await connection.pool.query("insert into workspaces values ('w', 'W', 1)");
  await store(1);
  await shift(1);
  const enter = (reader: string, seen: string) =>
    connection.pool.query(
      `insert into readers (workspace_id, reader, seen) values ('w', $1, ${seen})`,
      [reader],
    );
  await enter("fast", "pg_current_snapshot()");
  await enter("slow", "'1:1:'");
  await keepPartitions(connection.db, KEPT);
  t.deepEqual(await storedIn(), [[1, dayName(0)]]);
  await connection.pool.query("update readers set seen = pg_current_snapshot()");
  await keepPartitions(connection.db, KEPT);
  t.deepEqual(await storedIn(), []);
  t.false((await partitions()).includes(dayName(0)));
});

test.serial("a reader that holds the log up holds nobody else up for long", async (t) => {
  await keepPartitions(connection.db, KEPT);
  await shift(40);
  const reader = await connection.pool.connect();
  await reader.query("begin; select * from segments");
  await t.throwsAsync(keepPartitions(connection.db, KEPT), { message: /lock timeout/ });
  await store(7);
  await reader.query("rollback");
  reader.release();
  await keepPartitions(connection.db, KEPT);
  t.deepEqual(await storedIn(), [[7, dayName(40)]]);
});

test.serial("keys of batches go after seven days", async (t) => {
  const add = (id: string, count: number) =>
    connection.pool.query(
      `insert into batches (workspace_id, sender_id, batch_id, accepted, answer)
       select 'w', 's', $1 || n, 1, '' from generate_series(1, $2::int) as n`,
      [id, count],
    );
  await add("old", 25_000);
  await shift(6);
  await add("new", 10);
  await pruneBatches(connection.db);
  const count = async () =>
    (await connection.pool.query("select count(*)::int as n from batches")).rows[0].n;
  t.is(await count(), 25_010);
  await shift(8);
  await pruneBatches(connection.db);
  t.is(await count(), 10);
});
