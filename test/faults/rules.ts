import { type ChildProcess, fork } from "node:child_process";
import { on, once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type pg from "pg";
import {
  RuleSettings_Direction as Direction,
  RuleSettingsSchema,
} from "../../gen/lumetry/v1/rule_pb.js";
import { Severity } from "../../gen/lumetry/v1/severity_pb.js";
import { makeId } from "../../lib/ids.ts";
import { silentLog } from "../../lib/log.ts";
import { connectDatabase, type Database, migrate } from "../../server/db/database.ts";
import { insertSeries } from "../../server/log/series-store.ts";
import { insertRule } from "../../server/rules/changing.ts";
import { lockRules } from "../../server/rules/store.ts";
import { randomFrom } from "../edge/queue/fixtures.ts";
import { freshDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { segmentOf } from "../support/log.ts";
import { startReceiver } from "../support/receiver.ts";
import { addChannel, allDelivered, toldOf } from "./rules-told.ts";

type Random = () => number;
type Point = [seriesId: number, ms: number, value: number];

const CHILD = path.join(path.dirname(fileURLToPath(import.meta.url)), "rules-child.ts");
const HOSTS = ["a", "b", "c"];
const EVERY_MS = 4_000;
/** Not so old that it is of the past, all of it late enough to be judged when it comes. */
const OLDEST_MS = 240_000;
const NEWEST_MS = 20_000;

export interface Outcome {
  kills: number;
  transitions: number;
  notifications: number;
  /** Messages that were received more than once, each time under its id. */
  repeats: number;
  /** What is wrong; empty when nothing is. */
  problems: string[];
}

/**
 * The same points in two workspaces: in one each once, judged by one server that nobody disturbs; in the
 * other each upload twice, judged by servers that are killed at moments of chance. What became of the
 * alerts has to be the same, and who was told of it.
 */
export async function tryRules(
  random: Random,
  { kills, servers = 2, bug = "" }: { kills: number; servers?: number; bug?: string },
): Promise<Outcome> {
  await using started = new AsyncDisposableStack();
  const database = started.use(await freshDatabase());
  const { db, pool } = started.use(
    connectDatabase({ url: database.url }, { log: silentLog, connections: 8 }),
  );
  await migrate(db);
  const values = makeValues(random, Date.now());
  const directory = await mkdtemp(path.join(tmpdir(), "lumetry-rules-"));
  started.defer(() => rm(directory, { recursive: true, force: true }));
  const keyFile = path.join(directory, "encryption.key");
  const children = new Set<ChildProcess>();
  started.defer(async () => {
    for (const child of children) child.kill("SIGKILL");
  });
  const start = (wrong = "") => {
    const child = fork(CHILD, [database.url, keyFile, wrong], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    children.add(child);
    return child;
  };
  const end = async (child: ChildProcess) => {
    child.kill("SIGKILL");
    await once(child, "exit");
    children.delete(child);
  };

  const [toCalm, toStormy] = [
    started.use(await startReceiver()),
    started.use(await startReceiver()),
  ];
  const calm = await prepare(db, pool);
  await addChannel(db, calm.workspaceId, { url: toCalm.url, keyFile });
  const alone = start();
  await upload(pool, calm, values, () => 0);
  await allJudged(pool, calm.workspaceId);
  await allDelivered(pool, calm.workspaceId);
  await end(alone);

  const stormy = await prepare(db, pool);
  await addChannel(db, stormy.workspaceId, { url: toStormy.url, keyFile });
  let left = kills;
  const server = async () => {
    for (;;) {
      const child = start(bug);
      // Not before it has read something, however slow this machine is.
      for (let reads = 1 + random() * 2; reads > 0 && left > 0; reads -= 1) {
        await Promise.race([once(child, "message"), wait(1_000)]);
      }
      // Between the two that should be one.
      if (bug === "late-outbox") await heard(child, "late");
      await wait(random() * 40);
      if (left <= 0) return;
      left -= 1;
      await end(child);
    }
  };
  let sent = false;
  const uploading = async () => {
    // Again and again, until nobody is killed any more: what is sent again must not matter.
    do {
      await upload(pool, stormy, values, random);
      sent = true;
    } while (left > 0);
  };
  await Promise.all([uploading(), ...Array.from({ length: servers }, server)]);
  await allJudged(pool, stormy.workspaceId);
  // What is written late on purpose is given its time.
  if (bug === "late-outbox") await wait(2_000);
  await allDelivered(pool, stormy.workspaceId);

  const [expected, found] = await Promise.all([
    historyOf(pool, calm.workspaceId),
    historyOf(pool, stormy.workspaceId),
  ]);
  const quiet = await toldOf(pool, calm.workspaceId, toCalm);
  const told = await toldOf(pool, stormy.workspaceId, toStormy);
  const problems = sent
    ? [
        ...compare("transitions", expected, found),
        ...compare("notifications", quiet.noted, told.noted),
        ...compare("messages", quiet.received, told.received),
        ...quiet.problems,
        ...told.problems,
      ]
    : ["nothing was sent"];
  if (expected.length === 0) problems.push("nothing has happened");
  if (quiet.received.length === 0) problems.push("nobody was told");
  const notifications = quiet.noted.length;
  if (quiet.received.length !== notifications) {
    problems.push(`of ${notifications} notifications ${quiet.received.length} were received`);
  }
  return { kills, transitions: expected.length, notifications, repeats: told.repeats, problems };
}

/** Settles when a child says it, or has not for a while. */
async function heard(child: ChildProcess, wanted: string): Promise<void> {
  const given = new AbortController();
  const saying = (async () => {
    for await (const [said] of on(child, "message", { signal: given.signal })) {
      if (said === wanted) return;
    }
  })().catch(() => {}); // given up
  await Promise.race([saying, wait(10_000)]);
  given.abort();
}

interface Scene {
  workspaceId: string;
  seriesOf: Map<string, number>;
}

/** A workspace with a series for each host and three rules. */
async function prepare(db: Database, pool: pg.Pool): Promise<Scene> {
  const workspaceId = makeId("wsp");
  await pool.query("insert into workspaces values ($1, 'W', 1)", [workspaceId]);
  return db.transaction().execute(async (transaction) => {
    const named = HOSTS.map((host) => ({
      metric: "m",
      labels: { host },
      fingerprint: Buffer.from(`${workspaceId} ${host}`),
    }));
    const ids = await insertSeries(transaction, workspaceId, named);
    await lockRules(transaction, workspaceId);
    for (const [name, windowMs, forMs, recovery] of [
      ["at once", 1_000, 0, 60],
      ["lasting", 1_000, 10_000, 60],
      ["on average", 20_000, 4_000, 40],
    ] as const) {
      const settings = create(RuleSettingsSchema, {
        displayName: name,
        metric: "m",
        severity: Severity.WARNING,
        window: durationFromMs(windowMs),
        for: durationFromMs(forMs),
        condition: {
          case: "threshold",
          value: { direction: Direction.ABOVE, value: 60, recoveryValue: recovery },
        },
      });
      await insertRule(transaction, workspaceId, settings);
    }
    const seriesOf = new Map(
      named.map(({ labels, fingerprint }) => [
        labels.host,
        ids.get(fingerprint.toString("hex")) ?? 0,
      ]),
    );
    return { workspaceId, seriesOf };
  });
}

/** For each host what is measured every four seconds: high and low for times of chance. */
function makeValues(random: Random, nowMs: number): Map<string, [ms: number, value: number][]> {
  return new Map(
    HOSTS.map((host) => {
      const points: [number, number][] = [];
      let level = 30;
      for (let ms = nowMs - OLDEST_MS; ms < nowMs - NEWEST_MS; ms += EVERY_MS) {
        if (random() < 0.2) level = random() < 0.5 ? 30 : 90;
        points.push([ms, level + Math.floor(random() * 10)]);
      }
      return [host, points];
    }),
  );
}

/** Uploads every host's points in their order; with chance each upload once more, at once or later. */
async function upload(
  pool: pg.Pool,
  { workspaceId, seriesOf }: Scene,
  values: ReadonlyMap<string, [ms: number, value: number][]>,
  random: Random,
): Promise<void> {
  await Promise.all(
    Array.from(values, async ([host, points]) => {
      const again: Point[][] = [];
      for (let at = 0; at < points.length; ) {
        const size = 1 + Math.floor(random() * 4);
        const part = points
          .slice(at, at + size)
          .map(([ms, value]): Point => [seriesOf.get(host) ?? 0, ms, value]);
        at += size;
        await write(pool, workspaceId, part);
        if (random() === 0) continue;
        again.push(part);
        const index = Math.floor(random() * again.length);
        const [repeated] = random() < 0.8 ? again.splice(index, 1) : [];
        if (repeated) await write(pool, workspaceId, repeated);
        await wait(random() * 10);
      }
      for (const part of again) await write(pool, workspaceId, part);
    }),
  );
}

async function write(pool: pg.Pool, workspaceId: string, points: Point[]): Promise<void> {
  const times = points.map(([, ms]) => ms);
  await pool.query(
    `insert into segments (workspace_id, start_ms, end_ms, points, body) values ($1, $2, $3, $4, $5)`,
    [workspaceId, Math.min(...times), Math.max(...times), points.length, segmentOf(points)],
  );
}

const allJudged = (pool: pg.Pool, workspaceId: string) =>
  eventually(
    "everything was judged",
    async () => {
      const { rows } = await pool.query<{ left: number }>(
        `select count(*)::int as left from segments
         left join readers on readers.workspace_id = segments.workspace_id and reader = 'rules'
         where segments.workspace_id = $1
           and not pg_visible_in_snapshot(transaction_id, coalesce(seen, '1:1:'))`,
        [workspaceId],
      );
      return rows[0]?.left === 0;
    },
    120_000,
  );

/** What became of alerts, by rule and group, in order; and how often somebody was to be told. */
async function historyOf(pool: pg.Pool, workspaceId: string): Promise<string[]> {
  const { rows } = await pool.query<{ line: string }>(
    `select concat_ws(' ', rules.display_name, group_key, from_state, to_state,
       extract(epoch from data_time), alert_transitions.value, told_at is not null) as line
     from alert_transitions join alerts using (workspace_id, alert_id)
     join rules using (workspace_id, rule_id)
     where workspace_id = $1 order by rules.display_name, group_key, transition_id`,
    [workspaceId],
  );
  return rows.map(({ line }) => line);
}

function compare(what: string, expected: readonly string[], found: readonly string[]): string[] {
  const missing = expected.filter((line) => !found.includes(line));
  const extra = found.filter((line) => !expected.includes(line));
  const again = (lines: readonly string[]) => lines.length - new Set(lines).size;
  const repeated = again(found) - again(expected);
  const isOrdered = expected.join("\n") === found.join("\n");
  return [
    ...missing.map((line) => `missing of ${what}: ${line}`),
    ...extra.map((line) => `not to be of ${what}: ${line}`),
    ...(repeated === 0 ? [] : [`${repeated} ${what} are there again`]),
    ...(isOrdered || missing.length + extra.length + Math.abs(repeated) > 0
      ? []
      : [`${what} in another order`]),
  ];
}

export async function run(argv: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: argv,
    options: {
      rounds: { type: "string", default: "10" },
      kills: { type: "string", default: "20" },
      servers: { type: "string", default: "2" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    },
  });
  const seed = Number(values.seed);
  const kills = Number(values.kills);
  let failed = 0;
  const report = (isGood: boolean, name: string, outcome: Outcome) => {
    const { transitions, notifications, repeats, problems } = outcome;
    console.log(
      `${isGood ? "✔" : "✘"} ${name}: ${transitions} transitions, ${notifications} notifications (${repeats} received again), ${kills} kills`,
    );
    for (const problem of problems.slice(0, 5)) console.log(`  ${isGood ? "·" : "✘"} ${problem}`);
    if (!isGood) failed += 1;
  };
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const outcome = await tryRules(randomFrom(seed + round), {
      kills,
      servers: Number(values.servers),
    });
    report(outcome.problems.length === 0, `seed ${seed + round}`, outcome);
  }
  for (const [bug, name] of [
    ["forget-points", "an evaluator that forgets points is found out"],
    ["late-outbox", "deliveries that are written after their transition are found out"],
  ] as const) {
    const seeded = await tryRules(randomFrom(seed), { kills, bug });
    report(seeded.problems.length > 0, name, seeded);
  }
  console.log(`${values.rounds} rounds from seed ${seed}, ${failed} failed`);
  return failed === 0;
}
