import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type pg from "pg";
import { makeId } from "../../lib/ids.ts";
import { silentLog } from "../../lib/log.ts";
import { readBlock } from "../../server/chunks/block-format.ts";
import { connectDatabase, migrate } from "../../server/db/database.ts";
import { randomFrom } from "../edge/queue/fixtures.ts";
import { migratedDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { segmentOf } from "../support/log.ts";

type Random = () => number;

const CHILD = path.join(path.dirname(fileURLToPath(import.meta.url)), "readers-child.ts");
const SERIES = 3;
/** Some of a day that is over, some of today: days are settled while points still come for them. */
const DAYS = [3, 1, 0].map((ago) => Math.floor(Date.now() / 86_400_000 - ago) * 86_400_000);

export interface Outcome {
  committed: number;
  /** What is wrong; empty when nothing is. */
  problems: string[];
}

/**
 * Writers that stall and give up, and readers on several servers that are killed and stopped at
 * moments of chance. Afterwards each commit has had its effect once, and is in chunks once.
 */
export async function tryReaders(
  random: Random,
  { strikes, servers = 2, bug = "" }: { strikes: number; servers?: number; bug?: string },
): Promise<Outcome> {
  await using started = new AsyncDisposableStack();
  const database = started.use(await migratedDatabase());
  const { db, pool } = started.use(
    connectDatabase({ url: database.url }, { log: silentLog, connections: 12 }),
  );
  await migrate(db);
  await pool.query("create table effects (segment_id bigint)");
  const workspaces = [makeId("wsp"), makeId("wsp")];
  for (const id of workspaces) await pool.query("insert into workspaces values ($1, 'W', 1)", [id]);

  let left = strikes;
  const committed: string[] = [];
  const points = new Set<string>();
  let next = 0;
  /** Commits after later ones were read: this is what a reader must not miss. */
  const isOvertaken = async (id: string) => {
    const { rows } = await pool.query<{ overtaken: boolean }>(
      "select exists (select 1 from effects where segment_id > $1) as overtaken",
      [id],
    );
    return rows[0]?.overtaken;
  };
  const write = async (client: pg.PoolClient, isSlow: boolean) => {
    const written: string[] = [];
    const own: string[] = [];
    await client.query("begin");
    for (let count = 1 + Math.floor(random() * 3); count > 0; count -= 1) {
      const value = next++;
      const day = DAYS[Math.floor(random() * DAYS.length)] ?? 0;
      const point: [number, number, number] = [1 + (value % SERIES), day + value, value];
      const { rows } = await client.query<{ id: string }>(
        `insert into segments (workspace_id, start_ms, end_ms, points, body)
         values ($1, $2, $2, 1, $3) returning segment_id::text as id`,
        [workspaces[value % 2], point[1], segmentOf([point])],
      );
      written.push(rows[0]?.id ?? "");
      own.push(point.join(" "));
    }
    if (isSlow) {
      await eventually("others were faster", () => isOvertaken(written.at(-1) ?? ""));
      await wait(300);
    } else if (random() < 0.15) await wait(random() * 800);
    const gaveUp = !isSlow && random() < 0.1;
    await client.query(gaveUp ? "rollback" : "commit");
    if (gaveUp) return;
    committed.push(...written);
    for (const point of own) points.add(point);
  };
  /** Others write for as long as the slow one does, which waits to be overtaken. */
  let isSlowDone = false;
  const writer = async (_: unknown, number: number) => {
    const isSlow = number === 0;
    try {
      for (let times = 0; isSlow ? left > 0 || times < 2 : !isSlowDone; times += 1) {
        const client = await pool.connect();
        let isWritten = false;
        try {
          await write(client, isSlow);
          isWritten = true;
        } finally {
          // One that is within a transaction is of no use to others.
          client.release(!isWritten);
        }
        await wait(random() * 10);
      }
    } finally {
      if (isSlow) isSlowDone = true;
    }
  };

  const children = new Set<ChildProcess>();
  started.defer(async () => {
    for (const child of children) child.kill("SIGKILL");
  });
  const start = async () => {
    const child = fork(CHILD, [database.url, bug], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    children.add(child);
    return child;
  };
  const server = async () => {
    let child = await start();
    while (left > 0) {
      // Not before it has read something, however slow this machine is.
      for (let reads = 1 + random() * 5; reads > 0; reads -= 1) await once(child, "message");
      await wait(random() * 50);
      left -= 1;
      if (random() < 0.5) {
        child.kill("SIGSTOP");
        await wait(700 + random() * 300);
        child.kill("SIGCONT");
      } else {
        child.kill("SIGKILL");
        await once(child, "exit");
        children.delete(child);
        child = await start();
      }
    }
  };
  await Promise.all([
    ...Array.from({ length: 6 }, writer),
    ...Array.from({ length: servers }, server),
  ]);

  const problems: string[] = [];
  await eventually("everything was read", async () => {
    const { rows } = await pool.query<{ left: number }>(
      `select count(*)::int as left from segments join readers using (workspace_id)
       where not pg_visible_in_snapshot(transaction_id, seen)`,
    );
    return rows[0]?.left === 0;
  });
  for (const child of children) child.kill("SIGKILL");
  problems.push(...compare("effect", await effects(pool), committed));
  problems.push(...compare("point", await storedPoints(pool), [...points]));
  return { committed: committed.length, problems };
}

async function effects(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>("select segment_id::text as id from effects");
  return rows.map(({ id }) => id);
}

async function storedPoints(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ body: Buffer }>(
    "select body from chunks union all select body from fresh_chunks",
  );
  return rows.flatMap(({ body }) =>
    [...readBlock(body, () => true)].flatMap(({ seriesId, times, values }) =>
      Array.from(times, (ms, at) => `${seriesId} ${ms} ${values[at]}`),
    ),
  );
}

function compare(what: string, found: string[], wanted: string[]): string[] {
  const unique = new Set(found);
  const missing = wanted.filter((one) => !unique.has(one)).length;
  const extra = unique.difference(new Set(wanted)).size;
  const repeated = found.length - unique.size;
  return [
    ...(missing > 0 ? [`${missing} ${what}s are missing`] : []),
    ...(extra > 0 ? [`${extra} ${what}s are of nothing that was committed`] : []),
    ...(repeated > 0 ? [`${repeated} ${what}s are there again`] : []),
  ];
}

export async function run(argv: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: argv,
    options: {
      rounds: { type: "string", default: "10" },
      strikes: { type: "string", default: "20" },
      servers: { type: "string", default: "3" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    },
  });
  const seed = Number(values.seed);
  const strikes = Number(values.strikes);
  let failed = 0;
  const report = (isGood: boolean, name: string, { committed, problems }: Outcome) => {
    console.log(`${isGood ? "✔" : "✘"} ${name}: ${committed} segments`);
    for (const problem of problems) console.log(`  ${isGood ? "·" : "✘"} ${problem}`);
    if (!isGood) failed += 1;
  };
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const outcome = await tryReaders(randomFrom(seed + round), {
      strikes,
      servers: Number(values.servers),
    });
    report(outcome.problems.length === 0, `seed ${seed + round}`, outcome);
  }
  const seeded = await tryReaders(randomFrom(seed), { strikes, bug: "forget-running" });
  report(seeded.problems.length > 0, "a reader that skips late commits is found out", seeded);
  console.log(`${values.rounds} rounds from seed ${seed}, ${failed} failed`);
  return failed === 0;
}
