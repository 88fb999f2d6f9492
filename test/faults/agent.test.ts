import test from "ava";
import { randomFrom } from "../edge/queue/fixtures.ts";
import { migratedDatabase } from "../support/database.ts";
import { setUp } from "../support/server.ts";
import { startServerProcess } from "../support/server-process.ts";
import { lostOnBothWays, OUTAGE_EVENTS, passThrough, QUICK_EVENTS } from "./agent-events.ts";
import { AgentSubject } from "./agent-subject.ts";
import { STEADY_LOAD } from "./subject.ts";

/** Another one each time; a failure names it. */
const seed = Number(process.env.LUMETRY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** Routes are returned to within seconds, so that a test need not wait for half a minute. */
const routeTiming = { probeEveryMs: 300, returnAfterMs: 700, stableMs: 2_000 };

test("while its collector, the server and the ways between fail, an agent finds another way and back, and stores every point once", async (t) => {
  t.timeout(300_000); // Others may load this machine.
  t.log(`seed ${seed}`);
  const random = randomFrom(seed);
  await using database = await migratedDatabase();
  await using server = await startServerProcess(database.url);
  const owner = await setUp(server);
  await using subject = await AgentSubject.begin(server, owner, { ...STEADY_LOAD, routeTiming });
  for (const [name, event] of Object.entries({ ...QUICK_EVENTS, ...OUTAGE_EVENTS })) {
    const { away, back } = await passThrough(event, subject, server, random);
    t.log(
      `${name}: ${away === undefined ? "" : `away in ${Math.round(away)} ms, `}back in ${Math.round(back)} ms`,
    );
  }
  const { queue } = await subject.calm();
  const { problems, figures } = await subject.settle(queue);
  t.log(figures);
  t.deepEqual(problems, []);
  t.true(figures.stored > 0 && figures.refused > 0);
  const { path } = await subject.installation.shown();
  t.is(path?.collectorId, subject.collector.installation.collectorId);
});

test("an agent that gave a batch another id on another route would be found out", async (t) => {
  t.timeout(300_000);
  await using database = await migratedDatabase();
  await using server = await startServerProcess(database.url);
  const owner = await setUp(server);
  const load = { ...STEADY_LOAD, routeTiming, bug: "forgets" } as const;
  await using subject = await AgentSubject.begin(server, owner, load);
  for (let time = 0; time < 2; time += 1) {
    await passThrough(lostOnBothWays(3_000), subject, server, Math.random);
  }
  const { queue } = await subject.calm();
  const { problems } = await subject.settle(queue);
  t.regex(problems.join("\n"), /points are stored more than once/);
});
