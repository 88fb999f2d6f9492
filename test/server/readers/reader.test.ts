import test from "ava";
import type pg from "pg";
import { systemClock } from "../../../lib/clock.ts";
import { makeId } from "../../../lib/ids.ts";
import { silentLog } from "../../../lib/log.ts";
import { connectDatabase, type DatabaseConnection, migrate } from "../../../server/db/database.ts";
import {
  LeaseLost,
  type Reader,
  type ReaderOptions,
  startReader,
  takeTurn,
} from "../../../server/readers/reader.ts";
import { adoptRestoredLog } from "../../../server/readers/restore.ts";
import { freshDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";

let database: Awaited<ReturnType<typeof freshDatabase>>;
let connection: DatabaseConnection;
let options: ReaderOptions;
const going = new AbortController().signal;

test.before(async () => {
  database = await freshDatabase();
  connection = connectDatabase({ url: database.url }, { log: silentLog, connections: 16 });
  await migrate(connection.db);
  await connection.pool.query(
    "create table effects (reader text, workspace_id text, segment_id bigint)",
  );
  options = { ...connection, log: silentLog, clock: systemClock };
});
test.after.always(async () => {
  await connection?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

async function addWorkspace(reader: string): Promise<string> {
  const workspaceId = makeId("wsp");
  await connection.pool.query("insert into workspaces values ($1, 'W', 1)", [workspaceId]);
  await connection.pool.query("insert into readers (workspace_id, reader) values ($1, $2)", [
    workspaceId,
    reader,
  ]);
  return workspaceId;
}

async function write(workspaceId: string, client: pg.Pool | pg.PoolClient = connection.pool) {
  const { rows } = await client.query<{ id: string }>(
    `insert into segments (workspace_id, start_ms, end_ms, points, body)
     values ($1, 1, 2, 1, 'x') returning segment_id::text as id`,
    [workspaceId],
  );
  return rows[0]?.id ?? "";
}

/** A transaction that has written a segment and not ended. */
async function beginWrite(workspaceId: string) {
  const client = await connection.pool.connect();
  await client.query("begin");
  const id = await write(workspaceId, client);
  return {
    id,
    async end(how: "commit" | "rollback") {
      await client.query(how);
      client.release();
    },
  };
}

/** Writes down what it reads, where the database keeps it. */
function noter(name: string, more: Partial<Reader> = {}): Reader {
  return {
    name,
    patience: { ms: 0, bytes: 1 },
    portionBytes: 1 << 20,
    read:
      async (segments, { workspaceId }) =>
      async (transaction) => {
        for (const { segmentId } of segments) {
          await transaction
            .insertInto("effects" as never)
            .values({ reader: name, workspace_id: workspaceId, segment_id: segmentId } as never)
            .execute();
        }
      },
    ...more,
  };
}

async function effects(reader: string, ...workspaces: string[]): Promise<string[]> {
  const { rows } = await connection.pool.query<{ id: string }>(
    `select segment_id::text as id from effects
     where reader = $1 and workspace_id = any($2) order by segment_id`,
    [reader, workspaces],
  );
  return rows.map(({ id }) => id);
}

const turn = (reader: Reader) => takeTurn(reader, options, going);

test("a commit that comes late behind others is read, and nothing is read again", async (t) => {
  const workspaceId = await addWorkspace("late");
  const reader = noter("late");
  const slow = await beginWrite(workspaceId);
  const lost = await beginWrite(workspaceId);
  const first = await write(workspaceId);
  t.true(await turn(reader));
  t.deepEqual(await effects("late", workspaceId), [first]);
  t.false(await turn(reader));
  await lost.end("rollback");
  const second = await write(workspaceId);
  await slow.end("commit");
  t.true(await turn(reader));
  t.deepEqual(await effects("late", workspaceId), [slow.id, first, second]);
  t.false(await turn(reader));
});

test("where points never cease to come, turns do not follow one another at once", async (t) => {
  const workspaceId = await addWorkspace("paced");
  const reader = noter("paced", { tend: async () => undefined });
  const paced = () => takeTurn(reader, options, going, 3_600_000);
  const turnAt = (value: string) =>
    connection.pool.query(`update readers set turn_at = ${value} where reader = 'paced'`);
  const ids = [await write(workspaceId)];
  await turnAt("'-infinity'");
  t.true(await paced());
  ids.push(await write(workspaceId));
  t.false(await paced(), "there was one within the hour");
  t.deepEqual(await effects("paced", workspaceId), ids.slice(0, 1));
  await turnAt("wall_clock() - interval '61 minutes'");
  t.true(await paced());
  t.deepEqual(await effects("paced", workspaceId), ids);
  ids.push(await write(workspaceId));
  await turnAt("wall_clock() + interval '1 day'");
  t.true(await paced(), "the clock was set back");
  await connection.pool.query("update readers set due_at = wall_clock() where reader = 'paced'");
  t.true(await paced(), "other work is due");
  t.deepEqual(await effects("paced", workspaceId), ids);
});

test("portions are cut between transactions, and all of them are read", async (t) => {
  const workspaceId = await addWorkspace("portions");
  const ids: string[] = [];
  const slow = await beginWrite(workspaceId);
  for (let count = 0; count < 10; count += 1) ids.push(await write(workspaceId));
  const client = await connection.pool.connect();
  await client.query("begin");
  for (let count = 0; count < 5; count += 1) ids.push(await write(workspaceId, client));
  await client.query("commit");
  client.release();
  const portions: number[] = [];
  const reader = noter("portions", { portionBytes: 2_000 });
  const counting: Reader = {
    ...reader,
    async read(segments, own) {
      portions.push(segments.length);
      if (portions.length === 3) await slow.end("commit");
      return reader.read(segments, own);
    },
  };
  while (await turn(counting));
  t.deepEqual(portions.slice(0, 3), [2, 2, 2]);
  t.true(portions.some((count) => count >= 5));
  t.deepEqual(await effects("portions", workspaceId), [slow.id, ...ids]);
});

test("what cannot be written is written another time, and once", async (t) => {
  const workspaceId = await addWorkspace("failing");
  const id = await write(workspaceId);
  const reader = noter("failing");
  let fails = true;
  const failing: Reader = {
    ...reader,
    async read(segments, own) {
      const effect = await reader.read(segments, own);
      return async (transaction) => {
        await effect(transaction);
        if (fails) throw new Error("no room");
      };
    },
  };
  const short = { ...options, leaseMs: 100 };
  await t.throwsAsync(takeTurn(failing, short, going), { message: "no room" });
  t.deepEqual(await effects("failing", workspaceId), []);
  fails = false;
  await eventually("the lease has run out", () => takeTurn(failing, short, going));
  t.deepEqual(await effects("failing", workspaceId), [id]);
});

test("whoever has lost the lease writes nothing", async (t) => {
  const workspaceId = await addWorkspace("stale");
  const id = await write(workspaceId);
  const reader = noter("stale");
  const entered = Promise.withResolvers<void>();
  const resume = Promise.withResolvers<void>();
  let lost: unknown;
  const stalled: Reader = {
    ...reader,
    async read(segments, own) {
      entered.resolve();
      await resume.promise;
      const effect = await reader.read(segments, own);
      await own.commit(effect).catch((error) => {
        lost = error;
      });
      return effect;
    },
  };
  const stall = turn(stalled);
  await entered.promise;
  t.false(await turn(reader), "the lease is somebody's");
  await connection.pool.query(
    "update readers set leased_until = wall_clock() where reader = 'stale'",
  );
  t.true(await turn(reader));
  resume.resolve();
  await stall;
  t.true(lost instanceof LeaseLost);
  t.deepEqual(await effects("stale", workspaceId), [id]);
});

test("servers share the workspaces, and one that stops leaves its own to the others at once", async (t) => {
  const workspaces = await Promise.all(Array.from({ length: 6 }, () => addWorkspace("shared")));
  const reader = noter("shared");
  const start = () => startReader(reader, { ...options, pollMs: 20 });
  const one = start();
  const two = start();
  const ids: string[] = [];
  for (let round = 0; round < 5; round += 1) {
    for (const workspaceId of workspaces) ids.push(await write(workspaceId));
    if (round === 2) await one[Symbol.asyncDispose]();
  }
  await eventually(
    "all is read",
    async () => (await effects("shared", ...workspaces)).length >= ids.length,
  );
  await two[Symbol.asyncDispose]();
  t.deepEqual(
    await effects("shared", ...workspaces),
    ids.toSorted((a, b) => Number(a) - Number(b)),
  );
});

test("in a database that was restored from a dump, what was unread and what is new is read", async (t) => {
  await using fresh = await freshDatabase();
  await using restored = connectDatabase({ url: fresh.url }, { log: silentLog, connections: 4 });
  await migrate(restored.db);
  await restored.pool.query("insert into workspaces values ('w', 'W', 1)");
  await restored.pool.query(
    "create table effects (reader text, workspace_id text, segment_id bigint)",
  );
  // As they come from another database, whose transactions had far higher numbers.
  await restored.pool.query(
    "insert into readers (workspace_id, reader, seen) values ('w', 'old', '900000000:900000000:')",
  );
  const ids = [await write("w", restored.pool), await write("w", restored.pool)];
  await restored.pool.query(
    "update segments set transaction_id = ((899999999 + row) :: text) :: xid8 from (select segment_id, 2 * row_number() over (order by segment_id) - 2 as row from segments) as numbered where segments.segment_id = numbered.segment_id",
  );
  t.true(await adoptRestoredLog(restored.db));
  t.false(await adoptRestoredLog(restored.db));
  ids.push(await write("w", restored.pool));
  t.true(await takeTurn(noter("old"), { ...options, ...restored }, going));
  const { rows } = await restored.pool.query<{ id: string }>(
    "select segment_id::text as id from effects order by segment_id",
  );
  t.deepEqual(
    rows.map(({ id }) => id),
    ids.slice(1),
  );
});

test("what nobody wants is passed over unread, and what comes once somebody does is read", async (t) => {
  const workspaceId = await addWorkspace("passing");
  let isWanted = false;
  const reader = noter("passing", { passesOver: async () => !isWanted });
  const slow = await beginWrite(workspaceId);
  await write(workspaceId);
  t.true(await turn(reader));
  t.false(await turn(reader));
  isWanted = true;
  const wanted = await write(workspaceId);
  await slow.end("commit");
  t.true(await turn(reader));
  t.deepEqual(await effects("passing", workspaceId), [slow.id, wanted]);
  t.false(await turn(reader));
});

test("a reader comes again when it said so, and has a place in new workspaces", async (t) => {
  let tended = 0;
  const workspaceId = makeId("wsp");
  const reader = noter("tender", {
    async tend(own) {
      if (own.workspaceId !== workspaceId) return undefined;
      tended += 1;
      return tended < 3 ? 1 : undefined;
    },
  });
  await connection.pool.query("insert into workspaces values ($1, 'W', 1)", [workspaceId]);
  const id = await write(workspaceId);
  await using _running = startReader(reader, { ...options, pollMs: 20 });
  await eventually("it has come again", async () => tended === 3);
  t.deepEqual(await effects("tender", workspaceId), [id]);
});
