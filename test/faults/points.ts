import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { randomFrom } from "../edge/queue/fixtures.ts";
import { type Owner, setUp } from "../support/server.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { type Accounts, settleAccounts } from "./points/accounts.ts";
import { followLog, READERS, type Reader } from "./points/follower.ts";
import { type Mistake, PointLoad } from "./points/load.ts";
import { type Postgres, startPostgres } from "./points/postgres.ts";
import { holdUpWriter, storm } from "./points/storm.ts";

/** Two servers on one PostgreSQL, all to be killed. */
export interface Ground extends AsyncDisposable {
  postgres: Postgres;
  servers: ServerProcess[];
  owner: Owner;
}

export async function prepareGround(): Promise<Ground> {
  await using stack = new AsyncDisposableStack();
  const postgres = stack.use(await startPostgres());
  const one = stack.use(await startServerProcess(postgres.url));
  const owner = await setUp(one);
  const two = stack.use(await startServerProcess(postgres.url));
  const started = stack.move();
  return {
    ...{ postgres, servers: [one, two], owner },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** An hour of its own for each round, so that their points do not meet. */
let lastHour = 0;
function nextHour(): number {
  lastHour += 1;
  return Math.floor(Date.now() / 3_600_000) * 3_600_000 - lastHour * 3_600_000;
}

/** One round: a load, whatever happens to it meanwhile, and the accounts. */
export async function runRound(
  { postgres, servers, owner }: Ground,
  options: {
    random: () => number;
    senders: number;
    mistake?: Mistake;
    readers?: Reader[];
    meanwhile: (load: PointLoad) => Promise<void>;
  },
): Promise<Accounts & { load: PointLoad }> {
  const { random, senders, mistake, readers = READERS, meanwhile } = options;
  await using stack = new AsyncDisposableStack();
  const followers = readers.map((reader) => stack.use(reader(postgres.url)));
  const load = await PointLoad.start(servers, owner.token, {
    senders,
    startMs: nextHour(),
    random,
    mistake,
  });
  try {
    await meanwhile(load);
  } finally {
    await load.end();
  }
  const [server] = servers as [ServerProcess];
  const settle = () => settleAccounts(server, owner.token, load);
  let accounts = await settle();
  if (accounts.problems.length > 0) {
    // What was given up last may have arrived while the books were read.
    await wait(1_000);
    accounts = await settle();
  }
  for (const follower of followers) accounts.problems.push(...(await follower.settle(server)));
  return { ...accounts, load };
}

const SENDERS = 8;
const number = new Intl.NumberFormat("en");

async function runStorms(ground: Ground, plan: Plan): Promise<boolean> {
  const { random, rounds, kills } = plan;
  let isWell = true;
  for (let round = 1; round <= rounds; round += 1) {
    let toll = new Map<string, number>();
    const { problems, batches } = await runRound(ground, {
      random,
      senders: SENDERS,
      meanwhile: async () => {
        toll = await storm(ground.servers, ground.postgres, { random, kills });
      },
    });
    const { acknowledged, doubtful, stored } = batches;
    const told = [...toll].map(([name, count]) => `${count} × ${name}`).join(", ");
    console.log(
      `round ${round}: ${number.format(acknowledged)} batches answered for, ${doubtful} given up, ${number.format(stored)} stored; ${told}`,
    );
    for (const problem of problems) console.log(`  ✘ ${problem}`);
    if (problems.length > 0) isWell = false;
  }
  return isWell;
}

/** The checks themselves: a mistake must be found out, within so many attempts. */
async function findOut(
  what: string,
  sign: RegExp,
  attempt: () => Promise<string[]>,
): Promise<boolean> {
  for (let attempts = 1; attempts <= 10; attempts += 1) {
    const found = (await attempt()).find((problem) => sign.test(problem));
    if (!found) continue;
    console.log(`✔ ${what}: found out at attempt ${attempts}: ${found}`);
    return true;
  }
  console.log(`✘ ${what}: not found out`);
  return false;
}

const findRenaming = (ground: Ground, { random }: Plan) =>
  findOut("a retry under another name", /^stored more than once/, async () => {
    const { problems } = await runRound(ground, {
      random,
      senders: SENDERS,
      mistake: "renames",
      meanwhile: async () =>
        void (await storm(ground.servers, ground.postgres, { random, kills: 3 })),
    });
    return problems;
  });

const findSkipping = (ground: Ground, { random }: Plan) =>
  findOut("a reader that follows numbers", /^a reader skipped/, async () => {
    const { problems } = await runRound(ground, {
      random,
      senders: SENDERS,
      readers: [(url) => followLog(url, "numbers")],
      meanwhile: async () => {
        const [server] = ground.servers as [ServerProcess];
        for (let held = 0; held < 5; ) if (await holdUpWriter(server, 100)) held += 1;
      },
    });
    return problems;
  });

/** Without its fsync, a commit is lost with PostgreSQL's memory. */
async function findHaste(ground: Ground, { random }: Plan): Promise<boolean> {
  const [server] = ground.servers as [ServerProcess];
  const setHaste = (setting: string) =>
    server.sql(
      // Itself never in haste, or a kill would undo it.
      `do $$ begin
         perform set_config('synchronous_commit', 'on', true);
         execute format('alter database %I ${setting}', current_database());
       end $$`,
    );
  try {
    return await findOut("answers before what they answer for is durable", /^lost/, async () => {
      const { problems } = await runRound(ground, {
        random,
        senders: SENDERS,
        meanwhile: async () => {
          // Once the senders' keys are durable, for a sender whose key is lost would never be answered.
          // The setting is in force for sessions that begin from now on.
          await setHaste("set synchronous_commit = off");
          for (let kill = 0; kill < 2; kill += 1) await ground.postgres.kill();
          await setHaste("reset synchronous_commit");
          await ground.postgres.kill();
        },
      });
      return problems;
    });
  } finally {
    await setHaste("reset synchronous_commit");
  }
}

interface Plan {
  random: () => number;
  rounds: number;
  kills: number;
}

export async function run(argv: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: argv,
    options: {
      rounds: { type: "string", default: "12" },
      kills: { type: "string", default: "8" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    },
  });
  const begun = performance.now();
  const seed = Number(values.seed);
  const rounds = Number(values.rounds);
  const kills = Number(values.kills);
  console.log(
    `Two servers on one PostgreSQL; ${rounds} rounds of ${kills} kills each, ${SENDERS} senders, seed ${seed}`,
  );
  await using ground = await prepareGround();
  const plan: Plan = { random: randomFrom(seed), rounds, kills };
  const outcomes = [
    await runStorms(ground, plan),
    await findRenaming(ground, plan),
    await findSkipping(ground, plan),
    await findHaste(ground, plan),
  ];
  const isWell = outcomes.every(Boolean);
  const seconds = Math.round((performance.now() - begun) / 1000);
  console.log(
    `${isWell ? "✔ every point answered for is stored once, and nothing else" : "✘ something is wrong"}: ${rounds} rounds, ${rounds * kills} kills, ${seconds} s, seed ${seed}`,
  );
  return isWell;
}
