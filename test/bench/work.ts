/** Leased work beside graphile-worker, on the same PostgreSQL in one run. */
import { createRequire } from "node:module";
import path from "node:path";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type pg from "pg";
import type { WorkItem } from "../../gen/lumetry/edge/v1/work_pb.js";
import { makeId } from "../../lib/ids.ts";
import { silentLog } from "../../lib/log.ts";
import { hashSecret } from "../../lib/secret.ts";
import { connectDatabase } from "../../server/db/database.ts";
import { openKeyring } from "../../server/sealing/keyring.ts";
import { type ClaimedItem, claimWork } from "../../server/work/claims.ts";
import { spendClaims } from "../../server/work/held-claims.ts";
import { insertTest, testPlace } from "../../server/work/tests.ts";
import { makeClaimTokens } from "../../server/work/tokens.ts";
import { seeWorker } from "../../server/work/workers.ts";
import { setUp, startTestServer, type TestServer } from "../support/server.ts";
import { addWorker, EVERYTHING, type HandWorker, reading } from "../support/worker.ts";
import type { BenchOptions } from "./main.ts";
import { median, ratio, round, type Section } from "./report.ts";

const PEER = "graphile-worker";
const BATCH = 400;
const PARALLEL = 4;

/** What is used of the peer; it is no dependency of the project. */
interface Peer {
  makeWorkerUtils(options: object): Promise<{
    migrate(): Promise<void>;
    addJob(task: string, payload: object): Promise<unknown>;
    release(): Promise<void>;
  }>;
  run(options: object): Promise<{
    stop(): Promise<void>;
    promise: Promise<void>;
    events: {
      on(event: string, listen: () => void): void;
    };
  }>;
  Logger: new (factory: () => () => void) => object;
}

function loadPeer(): Peer {
  try {
    return createRequire(import.meta.url)(PEER) as Peer;
  } catch {
    throw new Error(`${PEER} is not installed; run: npm install --no-save ${PEER}@0.17.3`);
  }
}

const quantile = (values: number[], share: number) =>
  values.toSorted((a, b) => a - b)[
    Math.min(values.length - 1, Math.floor(values.length * share))
  ] ?? Number.NaN;
const ms = (value: number) => value.toFixed(1);

export async function benchWork({ quick }: BenchOptions): Promise<Section> {
  const items = quick ? 2_000 : 20_000;
  const rounds = quick ? 1 : 3;
  const wakes = quick ? 50 : 300;
  const peer = loadPeer();
  await using server = await startTestServer({ callsPerSecond: 1_000_000 });
  const owner = await setUp(server);
  await using connection = connectDatabase(
    { url: server.databaseUrl },
    { log: silentLog, connections: PARALLEL + 2 },
  );
  const { pool } = connection;
  const worker = await addWorker(server, owner);
  await worker.claim();

  const rates: Record<"bare" | "stored" | "peer", number[]> = { bare: [], stored: [], peer: [] };
  for (let round = 0; round < rounds; round += 1) {
    rates.bare.push(await bareRate(pool, owner, worker, items));
    rates.peer.push(await peerRate(peer, pool, items));
    rates.stored.push(await storedRate(server, owner, worker, Math.min(items, 10_000)));
  }
  const own = await ownLatencies(server, pool, owner, worker, wakes);
  const theirs = await peerLatencies(peer, pool, wakes);

  const peerMedian = median(rates.peer);
  const row = (what: string, values: number[]) => [
    what,
    round(median(values)),
    ratio(median(values) / peerMedian),
  ];
  const latency = (what: string, values: number[]) => [
    what,
    ms(quantile(values, 0.5)),
    ms(quantile(values, 0.99)),
  ];
  return {
    title: "Leased work",
    about: [
      `Items that are claimed and reported, and how long a waiting worker takes to have one; beside ${PEER} on the same PostgreSQL, every commit with fsync. ${items.toLocaleString("en")} items, ${PARALLEL} at a time, ${BATCH} a claim; medians of ${rounds} rounds.`,
    ],
    tables: [
      {
        caption: "Claimed and ended, items a second",
        head: ["what", "items/s", `beside ${PEER}`],
        rows: [
          row("Lumetry, claim and report in the server's process", rates.bare),
          row("Lumetry over RPC and TLS, each report with three points stored", rates.stored),
          row(`${PEER}, local queue of ${BATCH}, tasks that do nothing`, rates.peer),
        ],
      },
      {
        caption: `One item at a time, of ${wakes}, in ms`,
        head: ["what", "p50", "p99"],
        rows: [
          latency("Lumetry: from its commit to a waiting worker, over RPC and TLS", own.wake),
          latency(`${PEER}: from its commit to its task, in one process`, theirs.wake),
          latency("Lumetry: from claim to report", own.done),
          latency(`${PEER}: from task to done`, theirs.done),
        ],
      },
    ],
    notes: [],
  };
}

type Owner = Awaited<ReturnType<typeof setUp>>;

/** Deliveries without a channel: items that anybody in the zone may claim, with nothing behind them. */
async function addItems(pool: pg.Pool, owner: Owner, count: number): Promise<void> {
  await pool.query("delete from work_items");
  await pool.query(
    `insert into work_items (workspace_id, work_id, kind, zone_id, subject_id, due_at, budget_ms)
     select $1, 'wrk.' || n, 'deliver', $2, 'dlv.' || n, wall_clock(), 10000
     from generate_series(1, $3::int) as n`,
    [owner.workspaceId, owner.zoneId, count],
  );
  await pool.query("analyze work_items");
}

async function bareRate(
  pool: pg.Pool,
  owner: Owner,
  worker: HandWorker,
  count: number,
): Promise<number> {
  await addItems(pool, owner, count);
  const { workspaceId, zoneId } = owner;
  const claimant = {
    workspaceId,
    zoneId,
    collectorId: worker.collectorId,
    processId: "bench-bare",
  };
  await seeWorker(pool, claimant, ["DELIVER_WEBHOOK"]);
  const tokens = makeClaimTokens();
  let done = 0;
  const work = async () => {
    for (;;) {
      const taken = tokens.take(BATCH);
      const wanted = { polls: 0, tests: 0, deliveries: BATCH, aheadMs: 0 };
      const { items } = await claimWork(pool, claimant, wanted, taken);
      tokens.giveBack(taken.slice(items.length));
      if (items.length === 0) return;
      const spent = await spendClaims(pool, claimant, items.map(ending));
      done += spent.length;
    }
  };
  const begun = performance.now();
  await Promise.all(Array.from({ length: PARALLEL }, work));
  const seconds = (performance.now() - begun) / 1000;
  if (done !== count) throw new Error(`${done} of ${count} items were done`);
  return count / seconds;
}

const ending = ({ workId, fence, token }: ClaimedItem) => ({
  claim: { workId, fence, tokenHash: hashSecret(token) },
  state: "done" as const,
  againInMs: 0,
});

/** Polls of as many sources, all due at once, over the wire and with their points. */
async function storedRate(
  server: TestServer,
  owner: Owner,
  worker: HandWorker,
  count: number,
): Promise<number> {
  await server.sql("delete from work_items; delete from source_assignments; delete from sources");
  const { workspaceId, zoneId } = owner;
  const ids = Array.from({ length: count }, () => makeId("src"));
  await server.sql(
    `with ids as (select id, row_number() over () as n from unnest($3::text[]) as id),
     made as (
       insert into sources (workspace_id, source_id, zone_id, display_name, settings, target,
         interval_ms, phase_ms, timeout_ms, labels)
       select $1, id, $2, id, '{"tcpCheck": {"target": {"host": "a", "port": 1}}}', 'a:1', 86400000, 0,
         10000, '{}' from ids),
     polls as (insert into source_polls (workspace_id, source_id) select $1, id from ids),
     held as (insert into source_assignments (workspace_id, source_id, collector_id, revision)
       select $1, id, $4, n from ids)
     insert into work_items (workspace_id, work_id, kind, zone_id, subject_id, assigned_to, due_at,
       budget_ms, every, origin)
     select $1, 'wrk' || substr(id, 4), 'poll', $2, id, $4, wall_clock(), 10000, interval '1 day',
       wall_clock() from ids`,
    [workspaceId, zoneId, ids, worker.collectorId],
  );
  await server.sql("analyze work_items");
  const { calls, processId } = worker;
  let done = 0;
  const work = async () => {
    for (;;) {
      const { items } = await calls.claimWork({
        processId,
        capabilities: EVERYTHING,
        mostPolls: BATCH,
      });
      if (items.length === 0) return;
      const reports = items.map((item) => ({ claim: claimOf(item), outcome: reading(done) }));
      const { results } = await calls.reportWork({ processId, reports });
      done += results.filter(({ problem }) => problem === undefined).length;
    }
  };
  // Once before, as every source but a new one is polled: its series are in the catalog.
  await Promise.all(Array.from({ length: PARALLEL }, work));
  await server.sql(
    "update work_items set origin = origin - interval '1 hour', due_at = due_at - interval '25 hours'",
  );
  done = 0;
  const begun = performance.now();
  await Promise.all(Array.from({ length: PARALLEL }, work));
  const seconds = (performance.now() - begun) / 1000;
  if (done !== count) throw new Error(`${done} of ${count} polls were stored`);
  return count / seconds;
}

const claimOf = ({ workId, claimToken, fence }: WorkItem) => ({ workId, claimToken, fence });

async function peerRate(peer: Peer, pool: pg.Pool, count: number): Promise<number> {
  const utils = await peer.makeWorkerUtils({ pgPool: pool, logger: quiet(peer) });
  await utils.migrate();
  await pool.query("truncate graphile_worker._private_jobs");
  await pool.query(
    "select count(graphile_worker.add_job('nothing', '{}')) from generate_series(1, $1::int)",
    [count],
  );
  await utils.release();
  let done = 0;
  const finished = Promise.withResolvers<void>();
  const begun = performance.now();
  const runner = await peer.run({
    pgPool: pool,
    concurrency: PARALLEL * BATCH,
    logger: quiet(peer),
    noHandleSignals: true,
    preset: {
      worker: {
        localQueue: { size: PARALLEL * BATCH },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
        concurrentJobs: PARALLEL * BATCH,
      },
    },
    taskList: {
      nothing: async () => {},
    },
  });
  runner.events.on("job:complete", () => {
    done += 1;
    if (done === count) finished.resolve();
  });
  await finished.promise;
  const seconds = (performance.now() - begun) / 1000;
  await runner.stop();
  return count / seconds;
}

const quiet = (peer: Peer) => new peer.Logger(() => () => {});

async function ownLatencies(
  server: TestServer,
  pool: pg.Pool,
  owner: Owner,
  worker: HandWorker,
  count: number,
): Promise<{ wake: number[]; done: number[] }> {
  await pool.query("delete from work_items");
  const [wake, done]: [number[], number[]] = [[], []];
  const { calls, processId } = worker;
  const keyFile = path.join(path.dirname(path.dirname(server.caFile)), "encryption.key");
  const keyring = openKeyring(keyFile, { make: false });
  const { workspaceId, zoneId } = owner;
  for (let at = 0; at < count; at += 1) {
    const workId = `wrk.${at}`;
    const task = keyring.seal(Buffer.alloc(0), testPlace(workspaceId, workId));
    const waiting = calls.claimWork({
      processId,
      capabilities: EVERYTHING,
      mostTests: 1,
      wait: durationFromMs(10_000),
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const committed = performance.now();
    await insertTest(pool, { workspaceId, workId, zoneId, timeoutMs: 1_000, task });
    const { items } = await waiting;
    const claimed = performance.now();
    wake.push(claimed - committed);
    const [item] = items;
    if (!item) throw new Error("nothing came");
    const { results } = await calls.reportWork({
      processId,
      reports: [{ claim: claimOf(item), outcome: reading(1) }],
    });
    if (results[0]?.problem) throw new Error("a report was refused");
    done.push(performance.now() - claimed);
  }
  return { wake, done };
}

async function peerLatencies(
  peer: Peer,
  pool: pg.Pool,
  count: number,
): Promise<{ wake: number[]; done: number[] }> {
  const [wake, done]: [number[], number[]] = [[], []];
  let started = Promise.withResolvers<void>();
  const utils = await peer.makeWorkerUtils({ pgPool: pool, logger: quiet(peer) });
  const runner = await peer.run({
    pgPool: pool,
    concurrency: 4,
    logger: quiet(peer),
    noHandleSignals: true,
    taskList: { wake: async () => started.resolve() },
  });
  let completed = Promise.withResolvers<void>();
  runner.events.on("job:complete", () => completed.resolve());
  for (let at = 0; at < count; at += 1) {
    started = Promise.withResolvers<void>();
    completed = Promise.withResolvers<void>();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const added = performance.now();
    await utils.addJob("wake", {});
    await started.promise;
    const claimed = performance.now();
    wake.push(claimed - added);
    await completed.promise;
    done.push(performance.now() - claimed);
  }
  await runner.stop();
  await utils.release();
  return { wake, done };
}
