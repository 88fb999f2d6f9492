import test from "ava";
import {
  appendAll,
  assertBooks,
  drain,
  idOf,
  ledger,
  limits,
  open,
  pointsOf,
  range,
  recordOf,
  sumOfPoints,
  temporaryDirectory,
  timeOf,
} from "./fixtures.ts";

test("what was appended comes out in order, once", async (t) => {
  const directory = await temporaryDirectory(t);
  await using queue = await open(directory);
  t.is(await queue.next(limits), undefined);
  await appendAll(queue, range(1, 50));
  await appendAll(queue, range(51, 400));
  t.deepEqual(await drain(t, queue), range(1, 400));
  t.is(await queue.next(limits), undefined);
  const health = queue.health();
  t.is(health.appendedPoints, sumOfPoints(range(1, 400)));
  t.is(health.acknowledgedPoints, health.appendedPoints);
  t.is(health.queuedPoints, 0);
  t.is(health.queuedBytes, 0);
  assertBooks(t, queue);
});

test("a queue goes on after a restart where it was", async (t) => {
  const directory = await temporaryDirectory(t);
  {
    await using queue = await open(directory);
    await appendAll(queue, range(1, 300));
    const batch = await queue.next(limits);
    if (batch) await queue.acknowledge(batch, { refusedPoints: 2 });
  }
  const before = await open(directory);
  const acknowledged = before.health().acknowledgedPoints;
  t.true(acknowledged > 0);
  t.is(before.health().refusedPoints, 2);
  await before[Symbol.asyncDispose]();
  await before[Symbol.asyncDispose]();
  await using queue = await open(directory);
  await appendAll(queue, range(301, 310));
  const rest = await drain(t, queue);
  t.is(acknowledged + sumOfPoints(rest), sumOfPoints(range(1, 310)));
  t.deepEqual(rest, range(rest[0] ?? 0, 310));
  assertBooks(t, queue);
});

test("appends in parallel are durable together and keep their order", async (t) => {
  const directory = await temporaryDirectory(t);
  await using queue = await open(directory);
  const done: number[] = [];
  await Promise.all(
    range(1, 500).map(async (id) => {
      await queue.append(recordOf(id));
      done.push(id);
    }),
  );
  t.deepEqual(done, range(1, 500));
  t.deepEqual(await drain(t, queue), range(1, 500));
});

test("a batch keeps its id and its records until it is settled", async (t) => {
  const directory = await temporaryDirectory(t);
  const first = await open(directory);
  await appendAll(first, range(1, 30));
  const batch = await first.next({ maxPoints: 100, maxBytes: 1e6 });
  t.is(await first.next(limits), batch);
  await first[Symbol.asyncDispose]();
  await using second = await open(directory);
  const again = await second.next({ maxPoints: 1, maxBytes: 1 });
  t.is(again?.batchId, batch?.batchId);
  t.deepEqual(
    again?.records.map((record) => idOf(t, record)),
    batch?.records.map((record) => idOf(t, record)),
  );
  if (!again) return t.fail();
  await second.acknowledge(again);
  await t.throwsAsync(second.acknowledge(again), { message: /not the one in flight/ });
  const other = await second.next(limits);
  t.not(other?.batchId.split("-")[0], batch?.batchId.split("-")[0], "each process has its epoch");
});

test("a batch holds no more points and bytes than asked for, but at least one record", async (t) => {
  const directory = await temporaryDirectory(t);
  await using queue = await open(directory);
  await appendAll(queue, range(1, 20)); // 2 + 3 + 4 … points
  const byPoints = await queue.next({ maxPoints: 2 + 3 + 4, maxBytes: 1e6 });
  t.is(byPoints?.points, 9);
  t.is(byPoints?.records.length, 3);
  if (byPoints) await queue.acknowledge(byPoints);
  const size = recordOf(4).payload.length + recordOf(5).payload.length;
  const byBytes = await queue.next({ maxPoints: 1e6, maxBytes: size });
  t.is(byBytes?.records.length, 2);
  if (byBytes) await queue.acknowledge(byBytes);
  const single = await queue.next({ maxPoints: 1, maxBytes: 1 });
  t.is(single?.records.length, 1);
});

test("records with different clock offsets never share a batch", async (t) => {
  const directory = await temporaryDirectory(t);
  await using queue = await open(directory);
  const offsets = [undefined, undefined, 0, 0, 0, -250.5, 0, undefined];
  for (const [index, offset] of offsets.entries()) {
    await queue.append({ ...recordOf(index + 1), clockOffsetMs: offset });
  }
  const seen: [number | undefined, number][] = [];
  for (let batch = await queue.next(limits); batch; batch = await queue.next(limits)) {
    for (const record of batch.records) t.is(record.clockOffsetMs, batch.clockOffsetMs);
    seen.push([batch.clockOffsetMs, batch.records.length]);
    await queue.acknowledge(batch);
  }
  t.deepEqual(seen, [
    [undefined, 2],
    [0, 3],
    [-250.5, 1],
    [0, 1],
    [undefined, 1],
  ]);
});

test("a released batch is cut anew under another id", async (t) => {
  const directory = await temporaryDirectory(t);
  await using queue = await open(directory);
  await appendAll(queue, range(1, 10));
  const batch = await queue.next(limits);
  if (!batch) return t.fail();
  await queue.release(batch);
  await t.throwsAsync(queue.acknowledge(batch), { message: /not the one in flight/ });
  const smaller = await queue.next({ maxPoints: 5, maxBytes: 1e6 });
  t.is(smaller?.records.length, 2);
  t.not(smaller?.batchId, batch.batchId);
  if (smaller) await queue.acknowledge(smaller);
  t.deepEqual(await drain(t, queue), range(3, 10));
});

test("a batch that cannot be read is halved until the one bad record is parked", async (t) => {
  const directory = await temporaryDirectory(t);
  const bad = 13;
  let queue = await open(directory);
  await appendAll(queue, range(1, 40));
  const delivered: number[] = [];
  let asked = 0;
  for (;;) {
    const batch = await queue.next(limits);
    if (!batch) break;
    asked++;
    const ids = batch.records.map((record) => idOf(t, record));
    if (!ids.includes(bad)) {
      delivered.push(...ids);
      await queue.acknowledge(batch);
    } else if (ids.length > 1) {
      await queue.split(batch);
      if (asked === 2) {
        await queue[Symbol.asyncDispose]();
        queue = await open(directory);
      }
    } else {
      await t.throwsAsync(queue.split(batch), { instanceOf: RangeError });
      await queue.park(batch, "invalid argument");
    }
  }
  t.true(asked <= 16, `${asked} batches`);
  t.deepEqual(
    delivered,
    range(1, 40).filter((id) => id !== bad),
  );
  const health = queue.health();
  t.is(health.unreadablePoints, pointsOf(bad));
  t.is(health.parkedPoints, pointsOf(bad));
  t.is(ledger(queue, "unreadable"), pointsOf(bad));
  t.is(queue.drops[0]?.startTime, timeOf(bad));
  assertBooks(t, queue);
  await queue[Symbol.asyncDispose]();
  queue = await open(directory);
  t.is(queue.health().parkedPoints, pointsOf(bad));
  await queue[Symbol.asyncDispose]();
});

test("the ledger of drops is kept until the server was told", async (t) => {
  const directory = await temporaryDirectory(t);
  {
    await using queue = await open(directory);
    for (const id of range(1, 4)) {
      await queue.append(recordOf(id));
      const batch = await queue.next(limits);
      if (batch) await queue.park(batch, "no");
    }
    t.deepEqual(
      queue.drops.map(({ dropId, points }) => [dropId, points]),
      range(1, 4).map((id) => [BigInt(id), pointsOf(id)]),
    );
    await queue.forgetDrops(2n);
  }
  await using queue = await open(directory);
  t.deepEqual(
    queue.drops.map(({ dropId }) => dropId),
    [3n, 4n],
  );
  await queue.forgetDrops(4n);
  await queue.append(recordOf(5));
  const batch = await queue.next(limits);
  if (batch) await queue.park(batch, "no");
  t.is(queue.drops[0]?.dropId, 5n);
  t.is(queue.health().unreadablePoints, sumOfPoints(range(1, 5)));
});

test("waiting ends with a record, a signal or the end of the queue", async (t) => {
  const directory = await temporaryDirectory(t);
  const queue = await open(directory);
  const stop = new AbortController();
  const stopped = queue.waitForRecords(stop.signal);
  stop.abort();
  await stopped;
  const woken = queue.waitForRecords();
  await queue.append(recordOf(1));
  await woken;
  await queue.waitForRecords();
  const batch = await queue.next(limits);
  await queue.waitForRecords();
  if (batch) await queue.acknowledge(batch);
  const closed = queue.waitForRecords();
  await queue[Symbol.asyncDispose]();
  await closed;
  await t.throwsAsync(queue.append(recordOf(2)), { message: /closed/ });
  await t.throwsAsync(queue.next(limits), { message: /closed/ });
});

test("the age of the oldest point is that of the record that is due", async (t) => {
  const directory = await temporaryDirectory(t);
  await using queue = await open(directory);
  t.is(queue.health().oldestPointTime, undefined);
  await appendAll(queue, range(1, 10));
  t.is(queue.health().oldestPointTime, timeOf(1));
  const batch = await queue.next({ maxPoints: 5, maxBytes: 1e6 });
  t.is(queue.health().oldestPointTime, timeOf(1));
  if (batch) await queue.acknowledge(batch);
  t.is(queue.health().oldestPointTime, timeOf(3));
  await drain(t, queue);
  t.is(queue.health().oldestPointTime, undefined);
  await queue.append(recordOf(11));
  t.is(queue.health().oldestPointTime, timeOf(11));
});

test("a record that makes no sense or does not fit is refused, and nothing of it is kept", async (t) => {
  const directory = await temporaryDirectory(t);
  await using queue = await open(directory);
  const record = recordOf(1);
  const refused = { instanceOf: RangeError };
  await t.throwsAsync(queue.append({ ...record, points: 0 }), refused);
  await t.throwsAsync(queue.append({ ...record, points: 1.5 }), refused);
  await t.throwsAsync(queue.append({ ...record, startTime: Number.NaN }), refused);
  const large = { ...record, payload: new Uint8Array(300_000) };
  await t.throwsAsync(queue.append(large), {
    ...refused,
    message: /300000 bytes .*raise the queue limit/,
  });
  t.is(queue.health().appendedPoints, 0);
  await queue.append({ ...record, payload: new Uint8Array(190_000) });
  t.is((await queue.next(limits))?.records.length, 1);
});

test("a limit that is too small is refused with what to write instead", async (t) => {
  const directory = await temporaryDirectory(t);
  const error = await t.throwsAsync(open(directory, { limitBytes: 4_999_999 }), {
    instanceOf: RangeError,
  });
  t.regex(error.message, /write 5000000 or more/);
  await t.throwsAsync(open(directory, { limitBytes: Number.NaN }), { instanceOf: RangeError });
});
