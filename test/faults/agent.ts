import { parseArgs } from "node:util";
import { defaultTiming } from "../../edge/routes.ts";
import { randomFrom } from "../edge/queue/fixtures.ts";
import { migratedDatabase } from "../support/database.ts";
import { type Owner, setUp } from "../support/server.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import {
  lostOnBothWays,
  OUTAGE_EVENTS,
  passThrough,
  QUICK_EVENTS,
  SLOW_EVENTS,
} from "./agent-events.ts";
import { AgentSubject } from "./agent-subject.ts";
import { STEADY_LOAD } from "./subject.ts";
import { tell } from "./tell.ts";

/** With the patience that agents have; but one thing after the other is not yet one that comes and goes. */
const LOAD = { ...STEADY_LOAD, routeTiming: { ...defaultTiming, stableMs: 1_000 } };

const EVENTS = { ...QUICK_EVENTS, ...OUTAGE_EVENTS, ...SLOW_EVENTS };

const seconds = (ms: number | undefined) =>
  ms === undefined ? "-" : `${(ms / 1000).toFixed(1)} s`;

/** Everything that can fail between an agent and its server, with the patience that agents have. */
async function runEvents(
  server: ServerProcess,
  owner: Owner,
  plan: { random: () => number; rounds: number },
): Promise<boolean> {
  console.log("An agent's collector, the server and the ways between them fail.");
  await using subject = await AgentSubject.begin(server, owner, LOAD);
  const wide = Math.max(...Object.keys(EVENTS).map((name) => name.length));
  const row = (...cells: string[]) =>
    console.log(
      `  ${cells.map((cell, at) => (at === 0 ? cell.padEnd(wide) : cell.padStart(12))).join("  ")}`,
    );
  row("", "by another", "back on the");
  row("", "way after", "collector's");
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const [name, event] of Object.entries(EVENTS)) {
      const { away, back } = await passThrough(event, subject, server, plan.random);
      row(name, seconds(away), seconds(back));
    }
  }
  const { queue } = await subject.calm();
  return tell(await subject.settle(queue));
}

/** The check itself: an agent with a mistake must be found out. */
async function runBug(server: ServerProcess, owner: Owner): Promise<boolean> {
  console.log("An agent gives a batch another id on another route.");
  await using subject = await AgentSubject.begin(server, owner, { ...LOAD, bug: "forgets" });
  for (let time = 0; time < 3; time += 1) {
    await passThrough(lostOnBothWays(3_000), subject, server, Math.random);
  }
  const { queue } = await subject.calm();
  const { problems } = await subject.settle(queue);
  const found = problems.find((problem) => /stored more than once/.test(problem));
  console.log(found ? `  ✔ found out: ${found}` : "  ✘ it was not found out");
  return found !== undefined;
}

export async function run(argv: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: argv,
    options: {
      rounds: { type: "string", default: "1" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    },
  });
  const begun = performance.now();
  const seed = Number(values.seed);
  console.log(`seed ${seed}`);
  await using database = await migratedDatabase();
  await using server = await startServerProcess(database.url);
  const owner = await setUp(server);
  const plan = { random: randomFrom(seed), rounds: Number(values.rounds) };
  const outcomes = [await runEvents(server, owner, plan), await runBug(server, owner)];
  const isWell = outcomes.every(Boolean);
  const took = Math.round((performance.now() - begun) / 1000);
  console.log(`${isWell ? "✔ all is well" : "✘ something is wrong"} after ${took} s, seed ${seed}`);
  return isWell;
}
