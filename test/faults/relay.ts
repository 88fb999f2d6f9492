/** `npm run faults relay [-- --count N --seed N]`: what goes through a relay, compared at both ends. */
import { parseArgs } from "node:util";
import { startTestRelay } from "../support/relay.ts";
import { compareBytes } from "./relay/compare.ts";
import { startRecorder } from "./relay/recorder.ts";

export async function run(argv: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: argv,
    options: { count: { type: "string" }, seed: { type: "string" } },
  });
  const count = Number(values.count ?? 10_000);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  await using recorder = await startRecorder();
  await using relay = await startTestRelay({ server: recorder });
  const begun = performance.now();
  const outcome = await compareBytes({ relay, recorder, seed, count });
  const seconds = Math.round((performance.now() - begun) / 1000);
  console.log(`${count} exchanges in ${seconds} s, seed ${seed}`);
  for (const [what, times] of outcome.kinds) console.log(`  ${what}: ${times}`);
  for (const difference of outcome.differences.slice(0, 10)) console.log(difference);
  console.log(`${outcome.differences.length} differences`);
  return outcome.differences.length === 0;
}
