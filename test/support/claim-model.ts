/**
 * The claim protocol as anybody would write it who knows of no concurrency, beside the real SQL on
 * several connections: fast-check looks for a sequence of steps on which the two part.
 */
import fc from "fast-check";
import type pg from "pg";
import { silentLog } from "../../lib/log.ts";
import { hashSecret } from "../../lib/secret.ts";
import { connectDatabase, migrate } from "../../server/db/database.ts";
import {
  BEYOND_BUDGET_MS,
  CLAIM_LEASE_MS,
  type ClaimedItem,
  claimWork,
} from "../../server/work/claims.ts";
import { renewClaims, spendClaims } from "../../server/work/held-claims.ts";
import { endClaimsOf, lapseClaims } from "../../server/work/lapses.ts";
import { makeClaimTokens } from "../../server/work/tokens.ts";
import { seeWorker, WORKER_LEASE_MS } from "../../server/work/workers.ts";
import { migratedDatabase } from "./database.ts";

const START_MS = Date.UTC(2026, 0, 1);
const BUDGET_MS = 20_000;
const EVERY_MS = 10_000;
const WORKSPACE = "wsp.model";
const ZONE = "zon.model";
const COLLECTORS = ["col.a", "col.b", "col.c"];
const POLLS = ["src.1", "src.2", "src.3"];
const DELIVERIES = ["dlv.1", "dlv.2", "dlv.3"];

/** A database of its own whose clock stands where a test puts it. */
export interface ClaimDatabase extends AsyncDisposable {
  pool: pg.Pool;
  /** Everything as at the beginning. */
  reset(): Promise<void>;
  setClock(ms: number): Promise<void>;
}

export async function openClaimDatabase(): Promise<ClaimDatabase> {
  await using started = new AsyncDisposableStack();
  const database = started.use(await migratedDatabase());
  const connection = started.use(
    connectDatabase({ url: database.url }, { log: silentLog, connections: 6 }),
  );
  await migrate(connection.db);
  const { pool } = connection;
  await pool.query(`
    create table test_clock (at timestamptz not null);
    insert into test_clock values (to_timestamp(${START_MS / 1000}));
    create or replace function wall_clock() returns timestamptz language sql volatile parallel safe
      as $$ select at from test_clock $$;
    -- What work has come to, in the order in which it was committed for each item.
    create table effects (
      number bigint generated always as identity, work_id text, fence bigint, slot float8);
    insert into workspaces (workspace_id, display_name, series_limit) values ('${WORKSPACE}', 'm', 1);
    insert into zones (workspace_id, zone_id, display_name) values ('${WORKSPACE}', '${ZONE}', 'z');
    insert into edges (workspace_id, edge_id, kind, zone_id, display_name, status, enrolled_at)
      select '${WORKSPACE}', id, 'collector', '${ZONE}', id, 'active', wall_clock()
      from unnest('{${COLLECTORS}}'::text[]) as id;
    insert into collectors (workspace_id, collector_id)
      select '${WORKSPACE}', id from unnest('{${COLLECTORS}}'::text[]) as id;
  `);
  const setClock = async (ms: number) => {
    await pool.query("update test_clock set at = to_timestamp($1::float8 / 1000)", [ms]);
  };
  const stack = started.move();
  return {
    pool,
    setClock,
    async reset() {
      await setClock(START_MS);
      await pool.query(`truncate effects, workers, work_items, work_progress, plan_requests`);
      await pool.query(
        `insert into work_items (workspace_id, work_id, kind, zone_id, subject_id, assigned_to,
           due_at, budget_ms, every, origin)
         select $1, id, kind, $2, id, assigned_to, wall_clock(), ${BUDGET_MS},
           case kind when 'poll' then interval '${EVERY_MS} ms' end,
           case kind when 'poll' then timestamptz 'epoch' end
         from unnest($3::text[], $4::text[], $5::text[]) as given (id, kind, assigned_to)`,
        [
          WORKSPACE,
          ZONE,
          [...POLLS, ...DELIVERIES],
          [...POLLS.map(() => "poll"), ...DELIVERIES.map(() => "deliver")],
          [...POLLS.map((_, index) => COLLECTORS[index]), ...DELIVERIES.map(() => null)],
        ],
      );
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

interface Held {
  collector: string;
  process: string;
  item: ClaimedItem;
}

interface ModelItem {
  kind: "poll" | "deliver";
  assignedTo: string | undefined;
  dueMs: number;
  fence: number;
  owner: { held: Held; leaseUntil: number; limit: number } | undefined;
  done: boolean;
}

export interface Model {
  nowMs: number;
  items: Map<string, ModelItem>;
  leases: Map<string, number>;
  /** Every claim that anybody was ever told of: a process that was stopped may come back with it. */
  told: Held[];
}

export interface Real {
  database: ClaimDatabase;
  tokens: ReturnType<typeof makeClaimTokens>;
}

export const newModel = (): Model => ({
  nowMs: START_MS,
  items: new Map<string, ModelItem>([
    ...POLLS.map((id, index): [string, ModelItem] => [id, newItem("poll", COLLECTORS[index])]),
    ...DELIVERIES.map((id): [string, ModelItem] => [id, newItem("deliver", undefined)]),
  ]),
  leases: new Map(),
  told: [],
});

const newItem = (kind: ModelItem["kind"], assignedTo: string | undefined): ModelItem => ({
  kind,
  assignedTo,
  dueMs: START_MS,
  fence: 0,
  owner: undefined,
  done: false,
});

class Parted extends Error {
  override name = "Parted";
}

function same(real: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(real), JSON.stringify(expected)];
  if (a !== b) throw new Parted(`${what}: the database says ${a}, the model ${b}`);
}

type Step = fc.AsyncCommand<Model, Real>;

const step = (name: string, run: (model: Model, real: Real) => Promise<void>): Step => ({
  check: () => true,
  toString: () => name,
  run,
});

const claimant = (collectorId: string, processId: string) => ({
  workspaceId: WORKSPACE,
  collectorId,
  zoneId: ZONE,
  processId,
});

const nameOf = ({ item }: Held) => ({
  workId: item.workId,
  fence: item.fence,
  tokenHash: hashSecret(item.token),
});

const isFree = (item: ModelItem, collector: string, nowMs: number) =>
  item.owner === undefined &&
  !item.done &&
  item.dueMs <= nowMs &&
  (item.kind === "deliver" || item.assignedTo === collector);

const isLive = ({ leases, nowMs }: Model, collector: string) =>
  (leases.get(collector) ?? 0) > nowMs;

async function claim(real: Real, collector: string, process: string, most: number) {
  const tokens = real.tokens.take(most * 2);
  const wanted = { polls: most, tests: 0, deliveries: most, aheadMs: 0 };
  return claimWork(real.database.pool, claimant(collector, process), wanted, tokens);
}

/** Notes what a claim has brought; nobody else may own any of it. */
function own(model: Model, collector: string, process: string, items: ClaimedItem[]): void {
  for (const item of items) {
    const known = model.items.get(item.workId);
    if (!known || !isFree(known, collector, model.nowMs)) {
      throw new Parted(`${collector} was given ${item.workId}, which was not to be had`);
    }
    same(Number(item.fence), known.fence + 1, `the fence of ${item.workId}`);
    const held = { collector, process, item };
    model.told.push(held);
    known.fence += 1;
    if (known.kind === "poll") {
      known.dueMs = Math.max(known.dueMs, Math.floor(model.nowMs / EVERY_MS) * EVERY_MS);
      same(item.dueMs, known.dueMs, `the slot of ${item.workId}`);
    }
    known.owner = {
      held,
      leaseUntil: model.nowMs + CLAIM_LEASE_MS,
      limit: model.nowMs + BUDGET_MS + BEYOND_BUDGET_MS,
    };
  }
}

/** One report with its effect, in one transaction, as the server makes them. */
async function report({ database }: Real, held: Held, state: "done" | "due"): Promise<boolean> {
  const client = await database.pool.connect();
  try {
    await client.query("begin");
    const ending = { claim: nameOf(held), state, againInMs: 0 };
    const [spent] = await spendClaims(client, claimant(held.collector, held.process), [ending]);
    if (spent) {
      await client.query("insert into effects (work_id, fence, slot) values ($1, $2, $3)", [
        held.item.workId,
        held.item.fence,
        spent.slotMs,
      ]);
    }
    await client.query("commit");
    return spent !== undefined;
  } finally {
    client.release();
  }
}

const owns = (model: Model, held: Held): ModelItem | undefined => {
  const item = model.items.get(held.item.workId);
  return item?.owner?.held === held && item.owner.leaseUntil >= model.nowMs ? item : undefined;
};

function endInModel(model: Model, item: ModelItem, state: "done" | "due"): void {
  item.owner = undefined;
  if (item.kind === "poll") item.dueMs += EVERY_MS;
  else if (state === "done") item.done = true;
  else item.dueMs = model.nowMs;
}

const collectors = fc.constantFrom(...COLLECTORS);
const processes = fc.constantFrom("process-1", "process-2");
const pick = <T>(all: readonly T[], at: number): T | undefined => all[at % Math.max(1, all.length)];

async function see(model: Model, { database }: Real, collector: string): Promise<void> {
  const capabilities = ["POLL_SOURCE", "DELIVER_WEBHOOK"];
  const known = await seeWorker(database.pool, claimant(collector, "process-1"), capabilities);
  same(known, true, "a collector that is not revoked is seen");
  model.leases.set(collector, model.nowMs + WORKER_LEASE_MS);
}

/** `silent`: whoever claims has not been heard of for some time, perhaps. */
const claims = fc
  .record({
    collector: collectors,
    process: processes,
    most: fc.integer({ min: 1, max: 4 }),
    silent: fc.integer({ min: 0, max: 4 }).map((dice) => dice === 0),
  })
  .map(({ collector, process, most, silent }) =>
    step(
      `${collector} claims ${most} in ${process}${silent ? ", unseen" : ""}`,
      async (model, real) => {
        if (!silent) await see(model, real, collector);
        const { isWorker, items } = await claim(real, collector, process, most);
        same(isWorker, isLive(model, collector), `${collector} may claim`);
        const free = isLive(model, collector)
          ? [...model.items.values()].filter((item) => isFree(item, collector, model.nowMs))
          : [];
        const due = (kind: ModelItem["kind"]) =>
          Math.min(most, free.filter((item) => item.kind === kind).length);
        same(items.length, due("poll") + due("deliver"), `how many ${collector} is given`);
        own(model, collector, process, items);
      },
    ),
  );

const races = fc.integer({ min: 1, max: 4 }).map((most) =>
  step(`everybody claims ${most} at once`, async (model, real) => {
    const asked = COLLECTORS.flatMap((collector) =>
      ["process-1", "process-2"].map((process) => ({ collector, process })),
    );
    const given = await Promise.all(
      asked.map(({ collector, process }) => claim(real, collector, process, most)),
    );
    for (const [index, { items }] of given.entries()) {
      const { collector = "", process = "" } = asked[index] ?? {};
      own(model, collector, process, items);
    }
  }),
);

const reports = fc.tuple(fc.nat(), fc.constantFrom("done", "due")).map(([at, state]) =>
  step(`claim ${at} is reported as ${state}`, async (model, real) => {
    const held = pick(model.told, at);
    if (!held) return;
    const item = owns(model, held);
    same(await report(real, held, state), item !== undefined, `the report on ${held.item.workId}`);
    if (item) endInModel(model, item, state);
  }),
);

const repeatedReports = fc.nat().map((at) =>
  step(`claim ${at} is reported six times at once`, async (model, real) => {
    const held = pick(model.told, at);
    if (!held) return;
    const item = owns(model, held);
    const accepted = await Promise.all(Array.from({ length: 6 }, () => report(real, held, "due")));
    same(accepted.filter(Boolean).length, item ? 1 : 0, "how many of the same reports count");
    if (item) endInModel(model, item, "due");
  }),
);

const rivalReports = fc.tuple(fc.nat(), fc.nat()).map(([one, two]) =>
  step(`claims ${one} and ${two} are reported while leases lapse`, async (model, real) => {
    const both = [pick(model.told, one), pick(model.told, two)].filter(
      (held) => held !== undefined,
    );
    const distinct = [...new Set(both)];
    const owned = distinct.map((held) => owns(model, held));
    const [accepted] = await Promise.all([
      Promise.all(distinct.map((held) => report(real, held, "due"))),
      lapseClaims(real.database.pool),
    ]);
    same(
      accepted,
      owned.map((item) => item !== undefined),
      "what of both counts",
    );
    for (const item of owned) if (item) endInModel(model, item, "due");
    lapseInModel(model);
  }),
);

const renewals = fc.nat().map((at) =>
  step(`claim ${at} is renewed`, async (model, { database }) => {
    const held = pick(model.told, at);
    if (!held) return;
    const item = owns(model, held);
    const holder = claimant(held.collector, held.process);
    const [lease] = await renewClaims(database.pool, holder, [nameOf(held)]);
    if (!item?.owner) return same(lease, undefined, "the renewal of a lost claim");
    item.owner.leaseUntil = Math.min(model.nowMs + CLAIM_LEASE_MS, item.owner.limit);
    same(Math.round(lease ?? -1), item.owner.leaseUntil - model.nowMs, "the renewed lease");
  }),
);

function lapseInModel(model: Model): void {
  for (const item of model.items.values()) {
    if (item.owner && item.owner.leaseUntil < model.nowMs) item.owner = undefined;
  }
}

const lapses = fc.constant(
  step("leases lapse", async (model, { database }) => {
    await lapseClaims(database.pool);
    lapseInModel(model);
  }),
);

const crashes = processes.map((process) =>
  step(`${process} of everybody crashes`, async (model) => {
    model.told = model.told.filter((held) => held.process !== process);
  }),
);

const moves = fc.tuple(fc.constantFrom(...POLLS), collectors).map(([source, collector]) =>
  step(`${source} is assigned to ${collector}`, async (model, { database }) => {
    await database.pool.query("update work_items set assigned_to = $2 where work_id = $1", [
      source,
      collector,
    ]);
    const item = model.items.get(source);
    if (item) item.assignedTo = collector;
  }),
);

const revocations = collectors.map((collector) =>
  step(`everything is taken from ${collector}`, async (model, { database }) => {
    // Assignments stay in this model: who has them is another story.
    const client = await database.pool.connect();
    try {
      await client.query("begin");
      await client.query("delete from workers where collector_id = $1", [collector]);
      await endClaimsOf(client, WORKSPACE, collector);
      await client.query("commit");
    } finally {
      client.release();
    }
    model.leases.delete(collector);
    for (const item of model.items.values()) {
      if (item.owner?.held.collector === collector) item.owner = undefined;
    }
  }),
);

const clocks = fc
  .oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 12_000 }) },
    { weight: 2, arbitrary: fc.integer({ min: 25_000, max: 45_000 }) },
    { weight: 1, arbitrary: fc.constantFrom(3_600_000, 86_400_000 * 365) },
    { weight: 1, arbitrary: fc.integer({ min: -20_000, max: -1 }) },
  )
  .map((ms) =>
    step(`${ms} ms pass`, async (model, { database }) => {
      model.nowMs = Math.max(START_MS, model.nowMs + ms);
      await database.setClock(model.nowMs);
    }),
  );

export const steps = [
  claims,
  claims,
  claims,
  races,
  reports,
  reports,
  repeatedReports,
  rivalReports,
  renewals,
  lapses,
  crashes,
  moves,
  revocations,
  clocks,
  clocks,
];

/** Everything that must hold in the end, whatever happened before. */
export async function settle(model: Model, real: Real): Promise<void> {
  const { database } = real;
  const { rows: unordered } = await database.pool.query(
    `select work_id, number from (
       select work_id, number, fence, slot,
         lag(fence) over (partition by work_id order by number) as fence_before,
         lag(slot) over (partition by work_id order by number) as slot_before
       from effects) as ordered
     where fence <= fence_before or (work_id like 'src.%' and slot <= slot_before)`,
  );
  same(unordered, [], "effects that a later owner had gone before");
  // No item is lost: once all leases are over, somebody is given each that is not done.
  model.nowMs += 10 * CLAIM_LEASE_MS;
  await database.setClock(model.nowMs);
  await lapseClaims(database.pool);
  lapseInModel(model);
  for (const item of model.items.values()) {
    if (item.kind === "poll") item.assignedTo = COLLECTORS[0];
    // A clock that went back has left what is due in the future; it comes.
    item.dueMs = Math.min(item.dueMs, model.nowMs);
  }
  await database.pool.query(
    `update work_items set assigned_to = $1, due_at = least(due_at, wall_clock()) where kind = 'poll'`,
    [COLLECTORS[0]],
  );
  await database.pool.query("update work_items set due_at = least(due_at, wall_clock())");
  const first = COLLECTORS[0] ?? "";
  await seeWorker(database.pool, claimant(first, "process-1"), ["POLL_SOURCE"]);
  const { items } = await claim(real, first, "process-1", 10);
  const open = [...model.items].filter(([, item]) => !item.done).map(([id]) => id);
  same(items.map(({ workId }) => workId).sort(), open.sort(), "what is to be had in the end");
}

/** Explores the protocol; rejects with the shortest sequence of steps that it fails on. */
export async function explore(
  database: ClaimDatabase,
  options: { runs: number; steps: number; seed?: number; shrink?: boolean },
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      fc.commands(steps, { maxCommands: options.steps, size: "max" }),
      async (commands) => {
        await database.reset();
        const model = newModel();
        const real = { database, tokens: makeClaimTokens() };
        await fc.asyncModelRun(() => ({ model, real }), commands);
        await settle(model, real);
      },
    ),
    {
      numRuns: options.runs,
      ...(options.seed !== undefined && { seed: options.seed }),
      endOnFailure: options.shrink === false,
    },
  );
}
