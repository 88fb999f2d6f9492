import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import test, { type ExecutionContext } from "ava";
import type { Queue } from "../../../edge/queue/queue.ts";
import {
  appendAll,
  assertBooks,
  drain,
  idOf,
  ledger,
  limits,
  open,
  range,
  recordOf,
  sumOfPoints,
  temporaryDirectory,
  timeOf,
} from "./fixtures.ts";

const limitBytes = 5_000_000;

/** Everything in the directory, as a person with `du` would see it. */
async function measure(directory: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
    const file = path.join(directory, entry.name);
    if (entry.isDirectory()) sum += await measure(file);
    else sum += (await stat(file).catch(() => undefined))?.size ?? 0;
  }
  return sum;
}

/** Measures again and again while the work runs. */
async function most(directory: string, work: Promise<unknown>): Promise<number> {
  let running = true;
  const ended = work.finally(() => {
    running = false;
  });
  let largest = 0;
  while (running) largest = Math.max(largest, await measure(directory));
  await ended;
  return Math.max(largest, await measure(directory));
}

async function appendInGroups(queue: Queue, ids: number[], size = 25): Promise<void> {
  for (let at = 0; at < ids.length; at += size) await appendAll(queue, ids.slice(at, at + size));
}

test("at any moment the whole directory stays within its limit, and the oldest points go first", async (t) => {
  const directory = await temporaryDirectory(t);
  await using queue = await open(directory, { limitBytes });
  const ids = range(1, 2_500); // 7.5 MB that nothing compresses
  const largest = await most(directory, appendInGroups(queue, ids));
  t.log(`${largest} bytes at most, ${(largest / limitBytes).toFixed(3)} of the limit`);
  t.true(largest <= limitBytes, `${largest} bytes`);
  const health = queue.health();
  t.true(health.diskBytes > limitBytes * 0.8, "the limit is used");
  t.true(Math.abs(health.diskBytes - (await measure(directory))) < limitBytes * 0.05);
  assertBooks(t, queue);
  t.is(ledger(queue, "limit"), health.droppedPoints);
  const delivered = await drain(t, queue);
  const first = delivered[0] ?? 0;
  t.deepEqual(delivered, range(first, 2_500));
  t.is(queue.health().droppedPoints, sumOfPoints(range(1, first - 1)));
  assertBooks(t, queue);
});

test("a drop takes no more than a twentieth of the limit, and says from when to when", async (t) => {
  const directory = await temporaryDirectory(t);
  await using queue = await open(directory, { limitBytes });
  await appendInGroups(queue, range(1, 2_000));
  let next = 1;
  for (const drop of queue.drops) {
    const ids = range(next, Math.round((drop.endTime - 500 - timeOf(0)) / 1_000));
    t.is(drop.startTime, timeOf(next));
    t.is(drop.points, sumOfPoints(ids));
    t.true(ids.length * 3_000 < limitBytes / 20);
    next += ids.length;
  }
  t.true(queue.drops.length > 3);
  const ids = queue.drops.map(({ dropId }) => Number(dropId));
  t.deepEqual(ids, range(1, ids.length));
});

async function fillWithOneInFlight(t: ExecutionContext<unknown>, directory: string) {
  const queue = await open(directory, { limitBytes });
  await appendInGroups(queue, range(1, 20));
  const batch = await queue.next({ maxPoints: 60, maxBytes: 1e6 });
  if (!batch) throw new Error("nothing came");
  await appendInGroups(queue, range(21, 1_800));
  t.true(queue.health().droppedPoints > 0);
  const inFlight = batch.records.map((record) => idOf(t, record));
  return { queue, batch, inFlight };
}

test("a batch in flight outlives its segment: it is not dropped, and counted once", async (t) => {
  const directory = await temporaryDirectory(t);
  const { queue, batch, inFlight } = await fillWithOneInFlight(t, directory);
  const dropped = queue.health().droppedPoints;
  t.is(ledger(queue, "limit"), dropped);
  assertBooks(t, queue);
  t.is(queue.health().oldestPointTime, timeOf(1));
  t.is(queue.drops[0]?.startTime, timeOf(inFlight.length + 1));
  t.is((await queue.next(limits))?.batchId, batch.batchId);
  await queue.acknowledge(batch);
  t.is(queue.health().acknowledgedPoints, sumOfPoints(inFlight));
  const rest = await drain(t, queue);
  const first = rest[0] ?? 0;
  t.is(dropped, sumOfPoints(range(inFlight.length + 1, first - 1)));
  assertBooks(t, queue);
  await queue[Symbol.asyncDispose]();
  t.false((await readdir(directory)).includes("held"));
});

test("a batch whose segment was dropped is handed out again, whole, after a restart", async (t) => {
  const directory = await temporaryDirectory(t);
  const { queue: first, batch, inFlight } = await fillWithOneInFlight(t, directory);
  await first[Symbol.asyncDispose]();
  await using queue = await open(directory, { limitBytes });
  assertBooks(t, queue);
  const again = await queue.next(limits);
  t.is(again?.batchId, batch.batchId);
  t.deepEqual(
    again?.records.map((record) => idOf(t, record)),
    inFlight,
  );
  if (!again) return;
  await queue.split(again);
  const half = await queue.next(limits);
  t.is(half?.records.length, inFlight.length >> 1);
  if (half) await queue.acknowledge(half);
  assertBooks(t, queue);
  const other = await queue.next(limits);
  t.is(other?.records.length, inFlight.length - (inFlight.length >> 1));
  if (other) await queue.release(other);
  await appendInGroups(queue, range(3_001, 3_400));
  assertBooks(t, queue);
  const rest = await drain(t, queue);
  t.true((rest[0] ?? 0) > 20, "released records are the oldest, so they were dropped first");
  assertBooks(t, queue);
  t.is(queue.health().queuedPoints, 0);
});

test("a smaller limit takes effect at the next start", async (t) => {
  const directory = await temporaryDirectory(t);
  {
    await using queue = await open(directory, { limitBytes: 10_000_000 });
    await appendInGroups(queue, range(1, 2_000));
    t.is(queue.health().droppedPoints, 0);
    await queue.next(limits);
  }
  t.true((await measure(directory)) > limitBytes);
  await using queue = await open(directory, { limitBytes });
  t.true((await measure(directory)) <= limitBytes);
  assertBooks(t, queue);
  const delivered = await drain(t, queue);
  t.is(sumOfPoints(range(1, 2_000)), sumOfPoints(delivered) + queue.health().droppedPoints);
});

test("a long ledger of drops is bounded and still adds up", async (t) => {
  const directory = await temporaryDirectory(t);
  await using queue = await open(directory, { limitBytes });
  const payload = Buffer.concat(range(1, 64).map((id) => recordOf(id).payload)).subarray(
    0,
    150_000,
  );
  for (const id of range(1, 150)) await queue.append({ ...recordOf(id), payload });
  t.is(queue.drops.length, 100);
  t.is(ledger(queue, "limit"), queue.health().droppedPoints);
  t.is(queue.drops[0]?.startTime, timeOf(1));
  assertBooks(t, queue);
});

test("the time until the queue is full follows from how fast it grows", async (t) => {
  const directory = await temporaryDirectory(t);
  let now = 0;
  const clock = {
    now: () => now,
    monotonic: () => now,
    sinceBoot: () => now,
    sleep: async () => {},
  };
  await using queue = await open(directory, { limitBytes, clock });
  t.is(queue.health().timeToFullMs, undefined);
  for (const id of range(1, 60)) {
    await appendAll(queue, range(id * 10 - 9, id * 10));
    now += 10_000;
  }
  const { timeToFullMs = 0, queuedBytes } = queue.health();
  const expected = ((limitBytes - queuedBytes) / queuedBytes) * now;
  t.true(Math.abs(timeToFullMs / expected - 1) < 0.25, `${timeToFullMs} and ${expected}`);
  await drain(t, queue);
  t.is(queue.health().timeToFullMs, undefined);
});
