import { writeSync } from "node:fs";
import { openQueue, smallestLimitBytes } from "../../../edge/queue/queue.ts";
import { silentLog } from "../../../lib/log.ts";
import { limits, range, recordOf } from "./fixtures.ts";

/*
 * Appends and sends under a limit on the size of files, and says what happened:
 *   durable IDS | refused IDS | sent IDS | failed CALL
 */
const [directory = ""] = process.argv.slice(2);
const say = (word: string, ids: unknown) => writeSync(1, `${word} ${ids}\n`);

await using queue = await openQueue(directory, { limitBytes: smallestLimitBytes, log: silentLog });
for (let first = 1; first <= 400; first += 4) {
  const ids = range(first, first + 3);
  const results = await Promise.allSettled(ids.map((id) => queue.append(recordOf(id))));
  for (const [index, { status }] of results.entries()) {
    say(status === "fulfilled" ? "durable" : "refused", ids[index]);
  }
  await attempt("sending", send);
}

async function send(): Promise<void> {
  const batch = await queue.next({ ...limits, maxPoints: 8 });
  if (!batch) return;
  say(
    "sent",
    batch.records.map(({ payload }) => Buffer.from(payload).readUInt32LE(0)),
  );
  await queue.acknowledge(batch);
}

/** Tries a few times; what needs a larger file than there may be goes on failing. */
async function attempt(call: string, work: () => Promise<void>): Promise<void> {
  for (let left = 3; left > 0; left--) {
    try {
      return await work();
    } catch (error) {
      say("failed", `${call}: ${(error as Error).message}`);
    }
  }
}
