import test from "ava";
import { systemClock } from "../../../lib/clock.ts";
import { makeId } from "../../../lib/ids.ts";
import { silentLog } from "../../../lib/log.ts";
import { readBlock } from "../../../server/chunks/block-format.ts";
import { makePackingThread } from "../../../server/chunks/packing-thread.ts";
import { dropExpired } from "../../../server/chunks/partitions.ts";
import { type ChunkParts, chunkReader } from "../../../server/chunks/reader.ts";
import { connectDatabase, type DatabaseConnection, migrate } from "../../../server/db/database.ts";
import { takeTurn } from "../../../server/readers/reader.ts";
import { freshDatabase } from "../../support/database.ts";
import { packPoints, segmentOf, type TestPoint } from "../../support/log.ts";

const DAY = 86_400_000;
const today = Math.floor(Date.now() / DAY) * DAY;

let database: Awaited<ReturnType<typeof freshDatabase>>;
let connection: DatabaseConnection;
const packing = makePackingThread();

test.before(async () => {
  database = await freshDatabase();
  connection = connectDatabase({ url: database.url }, { log: silentLog, connections: 8 });
  await migrate(connection.db);
});
test.after.always(async () => {
  await packing[Symbol.asyncDispose]();
  await connection?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

async function addWorkspace(): Promise<string> {
  const workspaceId = makeId("wsp");
  await connection.pool.query("insert into workspaces values ($1, 'W', 1)", [workspaceId]);
  await connection.pool.query("insert into readers (workspace_id, reader) values ($1, 'chunks')", [
    workspaceId,
  ]);
  return workspaceId;
}

async function write(workspaceId: string, points: TestPoint[], body = segmentOf(points)) {
  const { startMs, endMs } = packPoints(points);
  await connection.pool.query(
    `insert into segments (workspace_id, start_ms, end_ms, points, body)
     values ($1, $2, $3, $4, $5)`,
    [workspaceId, startMs, endMs, points.length, body],
  );
}

const waiting = { ms: -60_000, bytes: 0 };
async function turn(workspaceId: string, more: Partial<ChunkParts> = {}) {
  const reader = chunkReader({
    db: connection.db,
    packing,
    log: silentLog,
    clock: systemClock,
    retentionMs: 30 * DAY,
    patience: waiting,
    ...more,
  });
  await connection.pool.query(
    "update readers set due_at = case workspace_id when $1 then wall_clock() end, turn_at = '-infinity'",
    [workspaceId],
  );
  const options = { ...connection, log: silentLog, clock: systemClock };
  while (await takeTurn(reader, options, new AbortController().signal)) {
    const { rows } = await connection.pool.query<{ due: boolean }>(
      "select due_at is null or due_at > wall_clock() as due from readers where workspace_id = $1",
      [workspaceId],
    );
    if (rows[0]?.due) return;
  }
}
const settleAll = { compaction: { graceMs: 0, quietMs: -60_000 } };

async function chunksOf(table: "chunks" | "fresh_chunks", workspaceId: string) {
  const { rows } = await connection.pool.query<{ body: Buffer; level: number }>(
    `select * from ${table} where workspace_id = $1 order by chunk_id`,
    [workspaceId],
  );
  return rows.map(({ body, level }) => ({
    level,
    points: [...readBlock(body, () => true)].flatMap(({ seriesId, times, values }) =>
      Array.from(times, (ms, at): TestPoint => [seriesId, ms, values[at] as number]),
    ),
  }));
}

test.serial(
  "chunks of a level become one of the next, of which the first point to arrive stays",
  async (t) => {
    const workspaceId = await addWorkspace();
    for (let count = 0; count < 8; count += 1) {
      await write(workspaceId, [
        [7, today, count],
        [7, today + 1 + count, count],
      ]);
      await turn(workspaceId);
    }
    const [merged, ...others] = await chunksOf("fresh_chunks", workspaceId);
    t.deepEqual(others, []);
    t.is(merged?.level, 1);
    t.deepEqual(
      merged?.points,
      [[7, today, 0] as TestPoint].concat(
        Array.from({ length: 8 }, (_, at): TestPoint => [7, today + 1 + at, at]),
      ),
    );
  },
);

/** How often the points of a workspace were written to fresh chunks, from here on. */
async function countWritten(workspaceId: string) {
  const { pool } = connection;
  await pool.query(`
    create table if not exists written (workspace_id text, points bigint);
    create or replace function note_written() returns trigger language plpgsql as $$ begin
      insert into written values (new.workspace_id, new.points); return null; end $$;
    create or replace trigger note_written after insert on fresh_chunks
      for each row execute function note_written();
  `);
  return async () => {
    const { rows } = await pool.query<{ points: number }>(
      "select sum(points)::int as points from written where workspace_id = $1",
      [workspaceId],
    );
    return rows[0]?.points ?? 0;
  };
}

const byTime = ([a, ams]: TestPoint, [b, bms]: TestPoint) => a - b || ams - bms;

test.serial("points are written again a few times in all, however many come", async (t) => {
  const workspaceId = await addWorkspace();
  const written = await countWritten(workspaceId);
  const compaction = { fanIn: 4, blockPoints: 32, narrow: 1 };
  const points: TestPoint[] = [];
  for (let portion = 0; portion < 4 ** 3 + 3; portion += 1) {
    // As many as fill a block.
    const own = Array.from(
      { length: 32 },
      (_, at): TestPoint => [100 + (at % 16), today + portion * 2 + Math.floor(at / 16), portion],
    );
    points.push(...own);
    await write(workspaceId, own);
    await turn(workspaceId, { compaction });
  }
  const chunks = await chunksOf("fresh_chunks", workspaceId);
  t.deepEqual(chunks.flatMap((chunk) => chunk.points).sort(byTime), points.sort(byTime));
  // As they come, of 4 series to a block, and of one.
  t.deepEqual([...new Set(chunks.map(({ level }) => level))], [2, 0]);
  t.is(chunks.length, 4 ** 3 + 3);
  t.is(await written(), 3 * points.length - 2 * 3 * 32);
  t.true(
    chunks.every((chunk) => chunk.level < 2 || new Set(chunk.points.map(([id]) => id)).size === 1),
  );
});

test.serial("chunks of a few points are put together, whichever series they are of", async (t) => {
  const workspaceId = await addWorkspace();
  const written = await countWritten(workspaceId);
  const points: TestPoint[] = [];
  for (let portion = 0; portion < 4 ** 3; portion += 1) {
    points.push([100 + ((portion * 7) % 64), today, portion]);
    await write(workspaceId, points.slice(-1));
    await turn(workspaceId, { compaction: { fanIn: 4 } });
  }
  // A level has its turn, then the next one.
  await turn(workspaceId, { compaction: { fanIn: 4 } });
  await turn(workspaceId, { compaction: { fanIn: 4 } });
  const chunks = await chunksOf("fresh_chunks", workspaceId);
  t.is(chunks.length, 1);
  t.deepEqual(chunks[0]?.points, points.sort(byTime));
  t.is(await written(), 4 * points.length);
});

test.serial("many full chunks do not keep small ones apart", async (t) => {
  const workspaceId = await addWorkspace();
  const compaction = { fanIn: 4, blockPoints: 16 };
  const points = Array.from({ length: 128 }, (_, at): TestPoint => [100 + (at % 4), today + at, 1]);
  await write(workspaceId, points);
  for (let portion = 0; portion < 64; portion += 1) {
    points.push([100 + (portion % 4), today + 1000 + portion, portion]);
    await write(workspaceId, points.slice(-1));
    await turn(workspaceId, { compaction });
  }
  const chunks = await chunksOf("fresh_chunks", workspaceId);
  t.deepEqual(chunks.flatMap((chunk) => chunk.points).sort(byTime), points.sort(byTime));
  const small = chunks.filter((chunk) => chunk.points.length <= 4);
  t.true(small.length <= 8, `${small.length} of ${chunks.length}`);
});

test.serial("no more chunks are merged at one time than may be, the oldest first", async (t) => {
  const workspaceId = await addWorkspace();
  for (let portion = 0; portion < 4; portion += 1) {
    await write(workspaceId, [[100, today + portion, portion]]);
    await turn(workspaceId, { compaction: { fanIn: 4, mostMerged: 3 } });
  }
  const chunks = await chunksOf("fresh_chunks", workspaceId);
  const found = chunks.map(({ level, points }) => [level, ...points.map(([, ms]) => ms - today)]);
  t.deepEqual(found.sort(), [
    [0, 3],
    [1, 0, 1, 2],
  ]);
});

test.serial("a day that is over is settled, once more when something comes late", async (t) => {
  const workspaceId = await addWorkspace();
  const noon = today - 3 * DAY + DAY / 2;
  await write(workspaceId, [
    [7, noon, 1],
    [8, noon, 2],
  ]);
  await turn(workspaceId);
  t.is((await chunksOf("fresh_chunks", workspaceId)).length, 1, "it is too new to be settled");
  await turn(workspaceId, settleAll);
  t.deepEqual(await chunksOf("fresh_chunks", workspaceId), []);
  await write(workspaceId, [
    [7, noon - 1, 3],
    [8, noon, 4],
  ]);
  await turn(workspaceId, settleAll);
  const settled = await chunksOf("chunks", workspaceId);
  t.deepEqual(
    settled.map(({ points }) => points).toSorted((a, b) => b.length - a.length),
    [
      [
        [7, noon, 1],
        [8, noon, 2],
      ],
      [[7, noon - 1, 3]],
    ],
    "a block holds what is within four hours",
  );
  const { rows } = await connection.pool.query(
    "select points::int from rollups_1h where workspace_id = $1",
    [workspaceId],
  );
  t.is(rows.length, 1);
});

test.serial("a damaged segment costs its own points only, and is counted", async (t) => {
  const workspaceId = await addWorkspace();
  const damaged = segmentOf([[7, today, 1]]);
  damaged[damaged.length - 1] = (damaged.at(-1) as number) ^ 1;
  await write(workspaceId, [[7, today, 1]], damaged);
  await write(workspaceId, [[7, today, 2]]);
  await write(workspaceId, [[7, today - 40 * DAY, 3]]);
  const lost: unknown[] = [];
  await turn(workspaceId, { onLost: (each) => lost.push(each) });
  t.deepEqual(lost[0], { segments: 1, expiredPoints: 1 });
  const [chunk] = await chunksOf("fresh_chunks", workspaceId);
  t.deepEqual(chunk?.points, [[7, today, 2]]);
});

test.serial("chunks go when all of their day is past its time; roll-ups stay longer", async (t) => {
  const workspaceId = await addWorkspace();
  for (const days of [28, 29]) await write(workspaceId, [[7, today - days * DAY, days]]);
  await turn(workspaceId, settleAll);
  const values = async () =>
    (await chunksOf("chunks", workspaceId)).flatMap(({ points }) =>
      points.map(([, , value]) => value),
    );
  t.deepEqual((await values()).sort(), [28, 29]);
  const kept = { chunks: 28 * DAY, rollups_5m: 90 * DAY, rollups_1h: 90 * DAY };
  await dropExpired(connection.db, kept);
  t.deepEqual(await values(), [28]);
  const count = async () => {
    const { rows } = await connection.pool.query<{ count: number }>(
      "select count(*)::int as count from rollups_5m where workspace_id = $1",
      [workspaceId],
    );
    return rows[0]?.count;
  };
  t.is(await count(), 2);
  await dropExpired(connection.db, { ...kept, rollups_5m: -40 * DAY });
  t.is(await count(), 0);
});
