import test from "ava";
import { startTestRelay } from "../support/relay.ts";
import { compareBytes } from "./relay/compare.ts";
import { startRecorder } from "./relay/recorder.ts";

const seed = Number(process.env.LUMETRY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

test("what goes through a relay is the same at both ends, byte for byte, and what is malformed is never passed for whole", async (t) => {
  t.log(`seed ${seed}`);
  await using recorder = await startRecorder();
  await using relay = await startTestRelay({ server: recorder });
  const { kinds, differences } = await compareBytes({ relay, recorder, seed, count: 400 });
  t.true(kinds.size >= 12, [...kinds.keys()].join("\n"));
  t.deepEqual(differences, []);
});
