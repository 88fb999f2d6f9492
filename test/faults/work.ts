/**
 * `npm run faults work`: collectors, real processes, take polls and deliveries while they are killed
 * and stopped at random, and the server is killed, too. In the end everything has one effect.
 */
import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ChannelService } from "../../gen/lumetry/v1/channel_service_pb.js";
import { migratedDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { type AnyServer, type Owner, setUp } from "../support/server.ts";
import { startServerProcess } from "../support/server-process.ts";
import { addSource, addWorker } from "../support/worker.ts";

const CHILD = fileURLToPath(new URL("../support/work-child.ts", import.meta.url));

export interface WorkFaults {
  collectors: number;
  sources: number;
  deliveries: number;
  /** How long faults go on. */
  seconds: number;
  /** Time passes so much faster for the database, so that leases run out all the time. */
  speed: number;
}

const LONG: WorkFaults = { collectors: 6, sources: 40, deliveries: 500, seconds: 120, speed: 20 };
export const SHORT: WorkFaults = {
  collectors: 3,
  sources: 6,
  deliveries: 30,
  seconds: 6,
  speed: 20,
};

export interface WorkOutcome {
  kills: number;
  stops: number;
  accepted: number;
  refused: number;
  /** What is wrong, in words; nothing when all is well. */
  wrongs: string[];
}

interface Told {
  work: string;
  fence: string;
  reason: number;
}

/** The collectors' processes: each is started again when it was killed. */
class Fleet {
  readonly told: Told[] = [];
  readonly #children = new Map<string, ChildProcess>();
  readonly #server: AnyServer;
  #ending = false;

  constructor(server: AnyServer) {
    this.#server = server;
  }

  start(credential: string): void {
    const child = spawn(process.execPath, [CHILD], {
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        PATH: path.dirname(process.execPath),
        WORK_SERVER: this.#server.url,
        WORK_CREDENTIAL: credential,
        WORK_CA: this.#server.caFile,
      },
    });
    this.#children.set(credential, child);
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      this.told.push(JSON.parse(line) as Told);
    });
    child.on("exit", () => {
      if (!this.#ending) this.start(credential);
    });
  }

  pick(): ChildProcess | undefined {
    const all = [...this.#children.values()];
    return all[Math.floor(Math.random() * all.length)];
  }

  end(): void {
    this.#ending = true;
    for (const child of this.#children.values()) child.kill("SIGKILL");
  }
}

const nap = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function faultWork(plan: WorkFaults): Promise<WorkOutcome> {
  await using database = await migratedDatabase();
  await using server = await startServerProcess(database.url);
  const owner = await setUp(server);
  await quicken(server, plan.speed);
  const fleet = new Fleet(server);
  try {
    const workers = await Promise.all(
      Array.from({ length: plan.collectors }, () => addWorker(server, owner)),
    );
    for (let count = 0; count < plan.sources; count += 1) await addSource(server, owner);
    await addDeliveries(server, owner, plan.deliveries);
    for (const { credential } of workers) fleet.start(credential);

    let [kills, stops] = [0, 0];
    const until = performance.now() + plan.seconds * 1000;
    while (performance.now() < until) {
      await nap(50 + Math.random() * 300);
      const dice = Math.random();
      const child = fleet.pick();
      if (dice < 0.45) {
        child?.kill("SIGKILL");
        kills += 1;
      } else if (dice < 0.9) {
        // Beyond its leases, half of the time; then it goes on as if nothing had been.
        child?.kill("SIGSTOP");
        stops += 1;
        void nap(Math.random() * (60_000 / plan.speed)).then(() => child?.kill("SIGCONT"));
      } else if (dice < 0.93) {
        await server.kill();
        kills += 1;
        await server.start();
      }
    }
    await eventually(
      "every delivery has ended",
      async () => {
        const [row] = await server.sql<{ left: number }>(
          "select count(*)::int as left from work_items where kind = 'deliver' and state <> 'done'",
        );
        return row?.left === 0;
      },
      180_000,
    );
    const wrongs = await findWrongs(server, plan, fleet.told);
    const accepted = fleet.told.filter(({ reason }) => reason === 0).length;
    return { kills, stops, accepted, refused: fleet.told.length - accepted, wrongs };
  } finally {
    fleet.end();
  }
}

/** From now on, on all connections. */
async function quicken(server: AnyServer, speed: number): Promise<void> {
  await server.sql(`
    do $$ begin execute format($text$
      create or replace function wall_clock() returns timestamptz language sql volatile parallel safe
      as $body$ select %1$L::timestamptz + (clock_timestamp() - %1$L::timestamptz) * ${speed} $body$
    $text$, clock_timestamp()); end $$`);
}

async function addDeliveries(server: AnyServer, owner: Owner, count: number): Promise<void> {
  const channels = server.client(ChannelService, owner.token);
  const { channel } = await channels.createChannel({
    displayName: "faults",
    url: "http://receiver.internal/",
    zoneId: owner.zoneId,
  });
  await server.sql(
    `with made as (
       insert into deliveries (workspace_id, delivery_id, channel_id, event_type, body)
       select $1, 'dlv.' || n, $2, 'fault', '{}' from generate_series(1, $4::int) as n
       returning delivery_id)
     insert into work_items (workspace_id, work_id, kind, zone_id, subject_id, due_at, expires_at,
       budget_ms)
     select $1, 'wrk.' || delivery_id, 'deliver', $3, delivery_id, wall_clock(),
       wall_clock() + interval '10 years', 10000 from made`,
    [owner.workspaceId, channel?.channelId, owner.zoneId, count],
  );
}

async function findWrongs(server: AnyServer, plan: WorkFaults, told: Told[]): Promise<string[]> {
  const wrongs: string[] = [];
  const once = new Set<string>();
  for (const { work, fence, reason } of told) {
    if (reason !== 0) continue;
    if (once.has(`${work} ${fence}`))
      wrongs.push(`${work} was accepted twice under fence ${fence}`);
    once.add(`${work} ${fence}`);
  }
  const [deliveries] = await server.sql<{ delivered: number; twice: number }>(
    `select count(*)::int as delivered, count(*) filter (where successes > 1)::int as twice
     from (select delivery_id, count(*) filter (where http_status = 200) as successes
       from delivery_attempts join deliveries using (workspace_id, delivery_id)
       -- The server tells of collectors that are silent, too.
       where event_type = 'fault' group by delivery_id) as counted where successes > 0`,
  );
  if (deliveries?.delivered !== plan.deliveries) {
    wrongs.push(`${deliveries?.delivered} of ${plan.deliveries} deliveries were delivered`);
  }
  if (deliveries?.twice) wrongs.push(`${deliveries.twice} deliveries were delivered twice`);
  const [polls] = await server.sql<{ completed: number; slots: number; points: number }>(
    `select (select sum(completed)::int from source_polls) as completed,
       (select count(*)::int from batches where sender_id like 'src.%') as slots,
       (select sum(points)::int from segments) as points`,
  );
  if (polls?.completed !== polls?.slots) {
    wrongs.push(`${polls?.completed} polls were counted for ${polls?.slots} slots`);
  }
  if (polls?.points !== (polls?.slots ?? 0) * 2) {
    wrongs.push(`${polls?.points} points are in the log for ${polls?.slots} slots of two`);
  }
  if (!polls?.slots) wrongs.push("no poll was stored at all");
  return wrongs;
}

export async function run(argv: string[]): Promise<boolean> {
  const { values } = parseArgs({ args: argv, options: { seconds: { type: "string" } } });
  const plan = { ...LONG, ...(values.seconds && { seconds: Number(values.seconds) }) };
  const { kills, stops, accepted, refused, wrongs } = await faultWork(plan);
  console.log(
    `${kills} kills, ${stops} stops; ${accepted} reports accepted, ${refused} refused as stale`,
  );
  for (const wrong of wrongs) console.log(`WRONG: ${wrong}`);
  return wrongs.length === 0;
}
