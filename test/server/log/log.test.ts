import { randomUUID } from "node:crypto";
import test from "ava";
import { silentLog } from "../../../lib/log.ts";
import { connectDatabase, type DatabaseConnection, migrate } from "../../../server/db/database.ts";
import {
  type Batch,
  LogClosed,
  type LogLimits,
  LogOverloaded,
  makePointLog,
} from "../../../server/log/log.ts";
import { makeBatchPacker } from "../../../server/log/segment-format.ts";
import { freshDatabase } from "../../support/database.ts";
import { addRun } from "../../support/log.ts";

let database: Awaited<ReturnType<typeof freshDatabase>>;
let connection: DatabaseConnection;
const packer = makeBatchPacker();

test.before(async () => {
  database = await freshDatabase();
  connection = connectDatabase({ url: database.url }, { log: silentLog, connections: 8 });
  await migrate(connection.db);
});
test.after.always(async () => {
  await connection?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

function batchOf(more: {
  workspaceId?: string;
  batchId?: string;
  points?: number;
  ms?: number;
}): Batch {
  const { workspaceId = randomUUID(), batchId = randomUUID(), points = 1, ms = 1e12 } = more;
  packer.begin({ senderId: "s", batchId, clockOffsetMs: 0 });
  addRun(
    packer,
    1,
    Array.from({ length: points }, (_, at) => [ms + at, at]),
  );
  const packed = packer.finish();
  const answer = Buffer.alloc(0);
  return { workspaceId, senderId: "s", batchId, accepted: points, answer, packed };
}

async function rowsOf(workspaceId: string) {
  const { rows } = await connection.pool.query<{ segments: number; points: number; keys: number }>(
    `select count(*)::int as segments, coalesce(sum(points), 0)::int as points,
       (select count(*)::int from batches where workspace_id = $1) as keys
     from segments where workspace_id = $1`,
    [workspaceId],
  );
  return rows[0];
}

/** Holds every commit up until it is let go. */
async function holdCommits() {
  const client = await connection.pool.connect();
  await client.query("begin; lock table batches in access exclusive mode");
  return async () => {
    await client.query("rollback");
    client.release();
  };
}

const logWith = (limits: Partial<LogLimits> = {}) => makePointLog(connection.pool, { limits });

test.serial(
  "batches that arrive together share a commit, a segment for each workspace",
  async (t) => {
    await using log = logWith();
    const [one, two] = [randomUUID(), randomUUID()];
    await Promise.all(
      Array.from({ length: 100 }, (_, at) =>
        log.append(batchOf({ workspaceId: at % 2 === 0 ? one : two, points: 2 })),
      ),
    );
    t.deepEqual(await rowsOf(one), { segments: 1, points: 100, keys: 50 });
    t.deepEqual(await rowsOf(two), { segments: 1, points: 100, keys: 50 });
  },
);

test.serial("batches far apart in time do not share a segment", async (t) => {
  await using log = logWith();
  const workspaceId = randomUUID();
  const hour = 3_600_000;
  await Promise.all(
    [0, 1, 5 * hour, 5 * hour + 1, 9 * hour].map((ms) =>
      log.append(batchOf({ workspaceId, ms: 1e12 + ms })),
    ),
  );
  t.is((await rowsOf(workspaceId))?.segments, 3);
});

for (const [what, besideBytes, segments] of [
  ["what arrives is gathered", 1 << 20, 2],
  ["much that waits has a commit of its own", 5_000, 3],
] as const) {
  test.serial(`while a commit lasts, ${what}`, async (t) => {
    await using log = logWith({ commits: 2, besideBytes });
    const workspaceId = randomUUID();
    const letGo = await holdCommits();
    const appended = [];
    for (let at = 0; at < 20; at += 1) {
      appended.push(log.append(batchOf({ workspaceId })));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await letGo();
    await Promise.all(appended);
    t.deepEqual(await rowsOf(workspaceId), { segments, points: 20, keys: 20 });
  });
}

test.serial("a commit takes no more than it may", async (t) => {
  await using log = logWith({ commitBatches: 4 });
  const workspaceId = randomUUID();
  await Promise.all(Array.from({ length: 10 }, () => log.append(batchOf({ workspaceId }))));
  t.is((await rowsOf(workspaceId))?.segments, 3);
});

test.serial(
  "a full queue refuses more, first those of a workspace that fills it alone",
  async (t) => {
    await using log = logWith({ waitingBytes: 10_000, workspaceBytes: 6_000 });
    const workspaceId = randomUUID();
    const letGo = await holdCommits();
    const taken = Array.from({ length: 5 }, () => log.append(batchOf({ workspaceId })));
    const error = await t.throwsAsync(log.append(batchOf({ workspaceId })), {
      instanceOf: LogOverloaded,
    });
    t.is(error?.retryAfterMs, 1000);
    taken.push(...Array.from({ length: 4 }, () => log.append(batchOf({}))));
    await t.throwsAsync(log.append(batchOf({})), { instanceOf: LogOverloaded });
    await letGo();
    await Promise.all(taken);
    await log.append(batchOf({ workspaceId }));
    t.deepEqual(await rowsOf(workspaceId), { segments: 2, points: 6, keys: 6 });
  },
);

test.serial("batches that are likely to come soon share a commit", async (t) => {
  await using log = logWith({ gatherMs: 60_000 });
  const workspaceId = randomUUID();
  const append = () => log.append(batchOf({ workspaceId }));
  await Promise.all(Array.from({ length: 4 }, append));
  const early = [append(), append()];
  t.deepEqual(await rowsOf(workspaceId), { segments: 1, points: 4, keys: 4 });
  await Promise.all([...early, append()]); // three of four are enough
  t.deepEqual(await rowsOf(workspaceId), { segments: 2, points: 7, keys: 7 });
  // Of three that were answered three come again: two of them would be waited for, and so on.
  await Promise.all([append(), append(), append()]);
});

test.serial("a batch waits no longer than it may for those that do not come", async (t) => {
  await using log = logWith({ gatherMs: 1 });
  const workspaceId = randomUUID();
  await Promise.all(Array.from({ length: 50 }, () => log.append(batchOf({ workspaceId }))));
  const leaving = new AbortController();
  const left = log.append(batchOf({ workspaceId }), leaving.signal);
  await new Promise((resolve) => setImmediate(resolve));
  leaving.abort(new Error("gone"));
  await t.throwsAsync(left, { message: "gone" });
  // Its time is over with nothing there.
  await new Promise((resolve) => setTimeout(resolve, 5));
  await log.append(batchOf({ workspaceId }));
  await log.append(batchOf({ workspaceId }));
  t.deepEqual(await rowsOf(workspaceId), { segments: 3, points: 52, keys: 52 });
});

test.serial("a log that is closed does not wait for more", async (t) => {
  const workspaceId = randomUUID();
  const log = logWith({ gatherMs: 60_000 });
  await Promise.all(Array.from({ length: 4 }, () => log.append(batchOf({ workspaceId }))));
  const last = log.append(batchOf({ workspaceId }));
  await log[Symbol.asyncDispose]();
  await last;
  t.deepEqual(await rowsOf(workspaceId), { segments: 2, points: 5, keys: 5 });
});

test.serial("a batch that is given up before its commit begins is not stored", async (t) => {
  await using log = logWith({ commits: 1 });
  const workspaceId = randomUUID();
  const letGo = await holdCommits();
  const first = log.append(batchOf({ workspaceId }));
  await new Promise((resolve) => setImmediate(resolve));
  const [one, both] = [new AbortController(), new AbortController()];
  const shared = batchOf({ workspaceId });
  const dropped = log.append(batchOf({ workspaceId }), one.signal);
  const halfDropped = log.append(shared, both.signal);
  const kept = log.append(shared);
  one.abort(new Error("gone"));
  both.abort(new Error("gone too"));
  await t.throwsAsync(dropped, { message: "gone" });
  await t.throwsAsync(halfDropped, { message: "gone too" });
  await letGo();
  await Promise.all([first, kept]);
  t.deepEqual(await rowsOf(workspaceId), { segments: 2, points: 2, keys: 2 });
  await t.throwsAsync(log.append(shared, AbortSignal.abort(new Error("long gone"))), {
    message: "long gone",
  });
});

test.serial("a repeat of a batch under way waits for its outcome", async (t) => {
  await using log = logWith();
  const batch = { ...batchOf({}), answer: Buffer.from("first") };
  const letGo = await holdCommits();
  const first = log.append(batch);
  const second = log.append({ ...batch, accepted: 7, answer: Buffer.from("second") });
  await letGo();
  t.is((await first).answer.toString(), "first");
  t.is(await second, await first);
  t.is((await log.append({ ...batch, accepted: 8 })).accepted, 1);
});

test.serial("a log that is closed writes what it has taken and takes no more", async (t) => {
  const log = logWith({ commits: 1 });
  const workspaceId = randomUUID();
  const letGo = await holdCommits();
  const appended = [log.append(batchOf({ workspaceId }))];
  await new Promise((resolve) => setImmediate(resolve));
  appended.push(log.append(batchOf({ workspaceId })));
  const closing = log[Symbol.asyncDispose]();
  await t.throwsAsync(log.append(batchOf({ workspaceId })), { instanceOf: LogClosed });
  await letGo();
  await closing;
  t.is((await rowsOf(workspaceId))?.points, 2);
  await Promise.all(appended);
  await log[Symbol.asyncDispose]();
});

test.serial(
  "when the database fails, every batch of the commit fails and a retry stores it once",
  async (t) => {
    await using log = logWith();
    const workspaceId = randomUUID();
    const batches = Array.from({ length: 5 }, () => batchOf({ workspaceId }));
    const letGo = await holdCommits();
    const appended = Promise.allSettled(batches.map((batch) => log.append(batch)));
    for (;;) {
      const { rowCount } = await connection.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock'`,
      );
      if (rowCount) break;
    }
    t.deepEqual(
      (await appended).map(({ status }) => status),
      Array(5).fill("rejected"),
    );
    await letGo();
    await Promise.all(batches.map((batch) => log.append(batch)));
    t.deepEqual(await rowsOf(workspaceId), { segments: 1, points: 5, keys: 5 });
  },
);

test.serial(
  "batches with keys in any order never make two servers wait for each other",
  async (t) => {
    await using one = logWith();
    await using two = logWith();
    const workspaceId = randomUUID();
    const batches = Array.from({ length: 60 }, () => batchOf({ workspaceId }));
    for (let from = 0; from < 60; from += 20) {
      const group = batches.slice(from, from + 20);
      await Promise.all([
        ...group.map((batch) => one.append(batch)),
        ...group.toReversed().map((batch) => two.append(batch)),
      ]);
    }
    const row = await rowsOf(workspaceId);
    t.is(row?.points, 60);
    t.is(row?.keys, 60);
  },
);
