import { writeSync } from "node:fs";
import { type Batch, openQueue, smallestLimitBytes } from "../../../edge/queue/queue.ts";
import { silentLog } from "../../../lib/log.ts";
import { limits, randomFrom, recordOf } from "./fixtures.ts";

/*
 * Works on a queue until it is killed, and says on standard output what it does, each line before
 * or after the fact:
 *   ready | try IDS | durable IDS | got BATCH IDS | sent BATCH IDS | settled BATCH | warning TEXT
 * "sent" means that the server has the batch from here on, whatever happens to this process.
 */
const [directory = "", seed = "1", firstId = "1", acknowledge = "0.5"] = process.argv.slice(2);
const random = randomFrom(Number(seed));
let nextId = Number(firstId);

function say(...words: (string | number)[]): void {
  writeSync(1, `${words.join(" ")}\n`);
}

const queue = await openQueue(directory, {
  limitBytes: smallestLimitBytes,
  log: { ...silentLog, warn: (_fields, message) => say("warning", message) },
  processEpoch: `e${seed}`,
});
say("ready");

async function produce(): Promise<void> {
  for (;;) {
    const ids = Array.from({ length: 1 + Math.floor(random() * 25) }, () => nextId++);
    say("try", ids.join(","));
    await Promise.all(ids.map((id) => queue.append(recordOf(id))));
    say("durable", ids.join(","));
  }
}

async function consume(): Promise<void> {
  for (;;) {
    await queue.waitForRecords();
    const maxPoints = 1 + Math.floor(random() * 800);
    const batch = await queue.next({ ...limits, maxPoints });
    if (!batch) continue;
    const ids = batch.records.map(({ payload }) => Buffer.from(payload).readUInt32LE(0));
    say("got", batch.batchId, ids.join(","));
    const mine = batch.batchId.startsWith(`e${seed}-`);
    if (!mine || random() < Number(acknowledge)) await send(batch, ids);
    else await giveBack(batch);
  }
}

async function send(batch: Batch, ids: number[]): Promise<void> {
  say("sent", batch.batchId, ids.join(","));
  await queue.acknowledge(batch, { refusedPoints: Math.floor(random() * 3) });
  say("settled", batch.batchId);
}

/** Only batches of this process: an older one may have arrived. */
async function giveBack(batch: Batch): Promise<void> {
  const choice = random();
  if (choice < 0.5) await queue.release(batch);
  else if (choice < 0.9 && batch.records.length > 1) await queue.split(batch);
  else if (choice > 0.98) await queue.park(batch, "for a test");
  else await queue.release(batch);
}

await Promise.all([produce(), consume()]);
