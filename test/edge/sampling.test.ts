import { setImmediate } from "node:timers/promises";
import test from "ava";
import { ClockOffset } from "../../edge/clock-offset.ts";
import { Configuration } from "../../edge/configuration.ts";
import type { Queue } from "../../edge/queue/queue.ts";
import { Sampling } from "../../edge/sampling.ts";
import { silentLog } from "../../lib/log.ts";
import { makeManualClock } from "../support/manual-clock.ts";
import { ledger, open, temporaryDirectory } from "./queue/fixtures.ts";

/** What waits in memory at most while the disk takes nothing. */
const MOST_WAITING = 1_000;

test("what a disk did not take and memory could not hold is entered in the ledger once it takes something again", async (t) => {
  const clock = makeManualClock();
  const directory = await temporaryDirectory(t);
  await using queue = await open(directory, { clock });
  let isFull = true;
  const disk: Queue = Object.create(queue, {
    append: {
      value: (record: Parameters<Queue["append"]>[0]) =>
        isFull ? Promise.reject(new Error("ENOSPC: no space left")) : queue.append(record),
    },
    noteLoss: { value: (loss: Parameters<Queue["noteLoss"]>[0]) => queue.noteLoss(loss) },
  });
  let samples = 0;
  const sampling = new Sampling({
    sampler: {
      metadata: [],
      isComplete: () => true,
      sample: async () => {
        samples += 1;
        return [
          { metric: "a", labels: {}, value: 1 },
          { metric: "b", labels: {}, value: 2 },
        ];
      },
    },
    queue: disk,
    configuration: await Configuration.load(directory, silentLog),
    offset: new ClockOffset(clock),
    labels: {},
    everyMs: 1_000,
    clock,
    log: silentLog,
  });
  const begun = clock.now();
  const ending = new AbortController();
  const running = sampling.run(ending.signal);
  const pass = async (count: number) => {
    for (const wanted = samples + count; samples < wanted; ) {
      clock.advance(1_000);
      await setImmediate();
    }
  };
  await pass(MOST_WAITING + 20);
  t.false(sampling.isQueueWritable);
  const lost = sampling.lostPoints;
  t.true(lost >= 2 * 19, `${lost}`);
  t.is(queue.health().outsidePoints, 0);
  isFull = false;
  clock.advance(1_000);
  while (sampling.lostPoints > 0) await setImmediate();
  ending.abort();
  clock.advance(1_000);
  await running;
  t.true(sampling.isQueueWritable);
  t.is(queue.health().outsidePoints, lost);
  t.is(queue.health().appendedPoints + lost, samples * 2);
  t.is(ledger(queue, "unwritten"), lost);
  const [drop] = queue.drops;
  t.true((drop?.startTime ?? 0) >= begun && (drop?.endTime ?? 0) < clock.now());
  await queue[Symbol.asyncDispose]();
  await using again = await open(directory);
  t.false(again.isNew);
  t.is(again.health().outsidePoints, lost);
  t.is(ledger(again, "unwritten"), lost);
});
