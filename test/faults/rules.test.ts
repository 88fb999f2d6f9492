import test from "ava";
import { randomFrom } from "../edge/queue/fixtures.ts";
import { tryRules } from "./rules.ts";

/** Others each time; a failure names them. */
const seed = Number(process.env.LUMETRY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

test("uploads that come twice and evaluators that are killed change no transition, and nobody is told twice or not at all", async (t) => {
  t.timeout(240_000);
  const { transitions, notifications, problems } = await tryRules(randomFrom(seed), { kills: 2 });
  t.deepEqual(problems, [], `seed ${seed}`);
  t.true(transitions > 10);
  t.true(notifications > 10);
});

test("an evaluator that forgets points is found out", async (t) => {
  t.timeout(240_000);
  const { problems } = await tryRules(randomFrom(seed), { kills: 1, bug: "forget-points" });
  t.regex(problems.join("\n"), /not to be|again|missing/);
});

test("deliveries that are written after the transition that they tell of are found out", async (t) => {
  t.timeout(240_000);
  const { problems } = await tryRules(randomFrom(seed), { kills: 3, bug: "late-outbox" });
  t.regex(problems.join("\n"), /missing of messages/);
});
