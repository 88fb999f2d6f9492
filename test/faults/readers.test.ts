import test from "ava";
import { randomFrom } from "../edge/queue/fixtures.ts";
import { tryReaders } from "./readers.ts";

/** Others each time; a failure names them. */
const seed = Number(process.env.LUMETRY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

test("servers that are killed and stopped, beside writers that stall, read each commit once", async (t) => {
  const { committed, problems } = await tryReaders(randomFrom(seed), { strikes: 4 });
  t.deepEqual(problems, [], `seed ${seed}`);
  t.true(committed > 0);
});

test("a reader that skips late commits is found out", async (t) => {
  const { problems } = await tryReaders(randomFrom(seed), {
    strikes: 2,
    bug: "forget-running",
  });
  t.regex(problems.join(), /effects are missing/);
});
