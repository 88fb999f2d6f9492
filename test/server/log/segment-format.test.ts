import { crc32 } from "node:zlib";
import test from "ava";
import fc from "fast-check";
import { DamagedBytes } from "../../../server/log/bytes.ts";
import {
  type BatchHead,
  joinSegment,
  makeBatchPacker,
  readSegment,
} from "../../../server/log/segment-format.ts";
import { addRun } from "../../support/log.ts";

interface TestRun {
  seriesId: number;
  points: [ms: number, value: number][];
}
interface TestBatch {
  head: BatchHead;
  runs: TestRun[];
}

const anyMs = fc.integer({ min: 0, max: 253_402_300_799_999 });
const anyRun: fc.Arbitrary<TestRun> = fc.record({
  seriesId: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 0, max: 2 ** 51 })),
  points: fc.oneof(
    fc.array(fc.tuple(anyMs, fc.double({ noNaN: true })), { minLength: 1, maxLength: 20 }),
    // What nearly all are like: one point after the other.
    fc
      .record({ start: anyMs, step: fc.nat(60_000), count: fc.integer({ min: 1, max: 50 }) })
      .map(({ start, step, count }) =>
        Array.from({ length: count }, (_, index): [number, number] => [
          start + index * step,
          index,
        ]),
      ),
  ),
});
const anyBatch: fc.Arbitrary<TestBatch> = fc.record({
  head: fc.record({
    senderId: fc.string({ unit: "grapheme" }),
    batchId: fc.string(),
    clockOffsetMs: fc.integer({ min: -315_576_000_000_000, max: 315_576_000_000_000 }),
  }),
  runs: fc.array(anyRun, { minLength: 1, maxLength: 10 }),
});

const packer = makeBatchPacker();

function pack({ head, runs }: TestBatch) {
  packer.begin(head);
  for (const { seriesId, points } of runs) addRun(packer, seriesId, points);
  const packed = packer.finish();
  if (!packed) throw new Error("nothing was packed");
  return packed;
}

function unpack(body: Buffer, wants: (seriesId: number) => boolean = () => true) {
  const runs: { head: BatchHead; seriesId: number; points: (number | undefined)[][] }[] = [];
  readSegment(body, wants, ({ batch, seriesId, count, times, values }) => {
    const points = Array.from({ length: count }, (_, index) => [times[index], values[index]]);
    runs.push({ head: batch, seriesId, points });
  });
  return runs;
}

const flat = (batches: TestBatch[]) =>
  batches.flatMap(({ head, runs }) => runs.map((run) => ({ head, ...run })));

test("what goes into a segment comes out of it, in order", (t) => {
  fc.assert(
    fc.property(fc.array(anyBatch, { minLength: 1, maxLength: 5 }), (batches) => {
      t.deepEqual(unpack(joinSegment(batches.map(pack))), flat(batches));
    }),
    { numRuns: 300 },
  );
});

test("series that are not wanted are left out and the rest is as it was", (t) => {
  fc.assert(
    fc.property(fc.array(anyBatch, { minLength: 1, maxLength: 5 }), fc.nat(3), (batches, rest) => {
      const wants = (seriesId: number) => seriesId % 4 === rest;
      t.deepEqual(
        unpack(joinSegment(batches.map(pack)), wants),
        flat(batches).filter(({ seriesId }) => wants(seriesId)),
      );
    }),
    { numRuns: 200 },
  );
});

test("a packed batch knows its span and its number of points", (t) => {
  fc.assert(
    fc.property(anyBatch, (batch) => {
      const { startMs, endMs, points } = pack(batch);
      const times = batch.runs.flatMap((run) => run.points.map(([ms]) => ms));
      t.deepEqual(
        { startMs, endMs, points },
        { startMs: Math.min(...times), endMs: Math.max(...times), points: times.length },
      );
    }),
  );
});

test("minus zero and the ends of float64 are kept to the bit", (t) => {
  const values = [-0, 5e-324, Number.MAX_VALUE, -Number.MAX_VALUE, 2 ** 53 + 2, 0.1];
  const runs = [{ seriesId: 1, points: values.map((value, at): [number, number] => [at, value]) }];
  const head = { senderId: "s", batchId: "b", clockOffsetMs: 0 };
  const [run] = unpack(joinSegment([pack({ head, runs })]));
  t.true(run?.points.every(([, value], at) => Object.is(value, values[at])));
});

test("series of regular points take little more than their values", (t) => {
  const runs = Array.from({ length: 10 }, (_, index) => ({
    seriesId: 1000 + index,
    points: Array.from({ length: 500 }, (_, at): [number, number] => [1.7e12 + at * 10_000, at]),
  }));
  const head = { senderId: "col.abcdefghij", batchId: "0123456789abcdef-1", clockOffsetMs: -3 };
  t.true(pack({ head, runs }).bytes.length < 5000 * 9.1);
});

test("a batch without points is nothing, and one given up halfway leaves nothing behind", (t) => {
  const head = { senderId: "s", batchId: "b", clockOffsetMs: 0 };
  packer.begin(head);
  addRun(packer, 1, []);
  t.is(packer.finish(), undefined);
  packer.begin(head);
  addRun(packer, 1, [[1, 1]]);
  const runs = [{ seriesId: 2, points: [[2, 2]] as [number, number][] }];
  t.deepEqual(unpack(joinSegment([pack({ head, runs })])), flat([{ head, runs }]));
});

test("any change of a byte, and any cut, is noticed", (t) => {
  fc.assert(
    fc.property(
      fc.array(anyBatch, { minLength: 1, maxLength: 3 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      (batches, at, change, cut) => {
        const body = joinSegment(batches.map(pack));
        const place = at % body.length;
        const damaged = cut ? body.subarray(0, place) : Buffer.from(body);
        if (!cut) damaged.writeUInt8((damaged.readUInt8(place) ^ change) & 255, place);
        t.throws(() => unpack(damaged), { instanceOf: DamagedBytes });
      },
    ),
    { numRuns: 300 },
  );
});

test("bytes with a right check that make no sense are refused, never read past their end", (t) => {
  fc.assert(
    fc.property(
      fc.array(anyBatch, { minLength: 1, maxLength: 3 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (batches, changes) => {
        const body = joinSegment(batches.map(pack));
        for (const [at, value] of changes) body.writeUInt8(value, at % (body.length - 4));
        body.writeUInt32LE(crc32(body.subarray(0, -4)), body.length - 4);
        try {
          for (const { points } of unpack(body)) t.true(points.every(([ms]) => ms !== undefined));
        } catch (error) {
          t.true(error instanceof DamagedBytes, String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("a segment of a later version is refused", (t) => {
  const body = Buffer.from([2, 0, 0, 0, 0]);
  body.writeUInt32LE(crc32(body.subarray(0, 1)), 1);
  t.throws(() => unpack(body), { message: /version 2/ });
});
