import { parseArgs } from "node:util";
import { randomFrom } from "../edge/queue/fixtures.ts";
import { migratedDatabase } from "../support/database.ts";
import type { Load } from "../support/load.ts";
import { type Owner, setUp } from "../support/server.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { fillQueue, LIMIT } from "./full-queue.ts";
import { refuseBeforeAnswer, storm, type Toll } from "./storm.ts";
import { STEADY_LOAD, Subject } from "./subject.ts";
import { table, tell } from "./tell.ts";

const TELL_EVERY_MS = 10_000;

const number = new Intl.NumberFormat("en");

interface Plan {
  random: () => number;
  kills: number;
  seconds: number;
}

/** Kills in the midst of everything else that can fail, with room for all points. */
async function runStorm(server: ServerProcess, owner: Owner, plan: Plan): Promise<boolean> {
  console.log("A collector is killed while the server, the database and the network fail.");
  await using subject = await Subject.start(server, owner, STEADY_LOAD);
  const begun = performance.now();
  let points = 0;
  const telling = setInterval(async () => {
    const { queue } = (await subject.edge.status()) ?? {};
    points = Math.max(points, queue?.appendedPoints ?? 0);
    const seconds = Math.round((performance.now() - begun) / 1000);
    console.log(`  ${seconds} s: ${subject.kills} kills, ${number.format(points)} points`);
  }, TELL_EVERY_MS);
  let toll: Toll;
  try {
    toll = await storm(subject, server, { ...plan, leastMs: plan.seconds * 1000 });
  } finally {
    clearInterval(telling);
  }
  const { queue } = await subject.calm();
  console.log(table([...toll].sort()));
  return tell(await subject.settle(queue));
}

/** A queue that is filled several times over while the server is away. */
async function runFullQueue(server: ServerProcess, owner: Owner, plan: Plan): Promise<boolean> {
  console.log(`A queue of ${number.format(LIMIT)} bytes is filled several times over.`);
  await using full = await fillQueue(server, owner, {
    random: plan.random,
    times: 8,
    kills: Math.ceil(plan.kills / 20),
    report: (words) => console.log(`  ${words}`),
  });
  console.log(
    table([
      ["most bytes on disk", full.peakBytes],
      ["points in the server's ledger of drops", full.toldPoints],
    ]),
  );
  const accounts = await full.subject.settle(full.status.queue, full.storedBefore);
  if (full.peakBytes > LIMIT * 1.05) accounts.problems.push("the queue was larger than it may be");
  if (full.toldPoints !== accounts.figures.dropped) {
    accounts.problems.push("the server was told of other drops");
  }
  return tell(accounts);
}

/** The checks themselves: a collector with a mistake must be found out. */
async function runBug(
  server: ServerProcess,
  owner: Owner,
  bug: NonNullable<Load["bug"]>,
  sign: RegExp,
): Promise<boolean> {
  console.log(`A collector ${bug}.`);
  await using subject = await Subject.start(server, owner, { ...STEADY_LOAD, bug });
  await subject.installation.connected(subject.edge);
  for (let round = 0; round < 4; round += 1) await refuseBeforeAnswer(subject, server, 3_000);
  const { queue } = await subject.calm();
  const { problems } = await subject.settle(queue);
  const found = problems.find((problem) => sign.test(problem));
  console.log(found ? `  ✔ found out: ${found}` : "  ✘ it was not found out");
  return found !== undefined;
}

export async function run(argv: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: argv,
    options: {
      seconds: { type: "string", default: "200" },
      kills: { type: "string", default: "200" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    },
  });
  const begun = performance.now();
  const seed = Number(values.seed);
  console.log(`seed ${seed}`);
  const plan: Plan = {
    random: randomFrom(seed),
    kills: Number(values.kills),
    seconds: Number(values.seconds),
  };
  await using database = await migratedDatabase();
  await using server = await startServerProcess(database.url);
  const owner = await setUp(server);
  const outcomes = [
    await runStorm(server, owner, plan),
    await runFullQueue(server, owner, plan),
    await runBug(server, owner, "lies", /^lost: /),
    await runBug(server, owner, "forgets", /stored more than once/),
  ];
  const isWell = outcomes.every(Boolean);
  const seconds = Math.round((performance.now() - begun) / 1000);
  console.log(
    `${isWell ? "✔ all is well" : "✘ something is wrong"} after ${seconds} s, seed ${seed}`,
  );
  return isWell;
}
