import test from "ava";
import fc from "fast-check";
import { type Piece, packBlock, readBlock } from "../../../server/chunks/block-format.ts";
import { makePacker } from "../../../server/chunks/blocks.ts";
import { cellsOf, packCells, unpackCells } from "../../../server/chunks/rollup.ts";
import { DamagedBytes } from "../../../server/log/bytes.ts";

const BASE = 1_700_000_000_000;

const anyValue = fc.oneof(
  fc.integer({ min: -100, max: 100 }),
  fc.integer({ min: -1_000_000, max: 1_000_000 }).map((whole) => whole / 1000),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 2 ** 53, -(2 ** 60), 1e308, 5e-324, 0.1, 1 / 3, 123456789.123456),
);
const anyTimes = fc.oneof(
  fc.nat(40).map((count) => Array.from({ length: count + 1 }, (_, at) => at * 60_000)),
  fc.uniqueArray(fc.integer({ min: 0, max: 86_399_999 }), { minLength: 1, maxLength: 40 }),
);
const anyPiece = anyTimes.chain((times) =>
  fc.array(anyValue, { minLength: times.length, maxLength: times.length }).map((values) => ({
    times: Float64Array.from(
      times.toSorted((a, b) => a - b),
      (ms) => BASE + ms,
    ),
    values: Float64Array.from(values),
  })),
);
const anyPieces: fc.Arbitrary<Piece[]> = fc
  .tuple(
    fc.array(anyPiece, { minLength: 1, maxLength: 12 }),
    fc.uniqueArray(fc.integer({ min: 1, max: 2 ** 40 }), { minLength: 12, maxLength: 12 }),
  )
  .map(([pieces, ids]) => {
    const sorted = ids.toSorted((a, b) => a - b);
    return pieces.map((piece, at) => ({ seriesId: sorted[at] as number, ...piece }));
  });

const shown = (pieces: Iterable<Piece>) =>
  Array.from(pieces, ({ seriesId, times, values }) => [seriesId, [...times], [...values]]);

test("what was packed is read again, to the last bit, all of it or some series", (t) => {
  fc.assert(
    fc.property(anyPieces, fc.constantFrom(1, 3), fc.nat(11), (pieces, level, which) => {
      const body = packBlock(pieces, level);
      t.deepEqual(shown(readBlock(body, () => true)), shown(pieces));
      const one = pieces[which % pieces.length] as Piece;
      t.deepEqual(shown(readBlock(body, (id) => id === one.seriesId)), shown([one]));
      t.deepEqual(shown(readBlock(body, () => false)), []);
    }),
    { numRuns: 500 },
  );
});

test("a block that was damaged is known by it, wherever that was", (t) => {
  const times = Float64Array.from({ length: 50 }, (_, at) => BASE + at * 1000);
  const values = Float64Array.from(times, (_, at) => Math.sin(at));
  const body = packBlock([{ seriesId: 7, times, values }], 3);
  const read = (bytes: Buffer) => [...readBlock(bytes, () => true)];
  for (let at = 0; at < body.length; at += 1) {
    const damaged = Buffer.from(body);
    damaged[at] = (damaged[at] as number) ^ 0x10;
    t.throws(() => read(damaged), { instanceOf: DamagedBytes });
  }
  for (const length of [0, 3, 5, body.length - 1]) {
    t.throws(() => read(body.subarray(0, length)), { instanceOf: DamagedBytes });
  }
});

test("a block has its memory to itself, however small it is", (t) => {
  const piece = { seriesId: 1, times: Float64Array.of(BASE), values: Float64Array.of(1) };
  const block = packBlock([piece], 1);
  t.is(block.buffer.byteLength, block.length);
});

test("regular points of few digits take little room", (t) => {
  const pieces = Array.from({ length: 20 }, (_, series): Piece => {
    const times = Float64Array.from({ length: 1440 }, (_, at) => BASE + at * 60_000);
    return { seriesId: series + 1, times, values: times.map((_, at) => 20 + ((at * 7) % 13) / 10) };
  });
  const bytes = packBlock(pieces, 3).length;
  t.true(bytes < 20 * 1440, `${bytes} bytes`);
});

test("a series with more points than a block has several, and none is lost", (t) => {
  const times = Float64Array.from({ length: 100_000 }, (_, at) => BASE + at);
  const values = times.map((_, at) => at);
  const small = { seriesId: 9, times: times.slice(0, 3), values: values.slice(0, 3) };
  const packer = makePacker({ level: 1 });
  const blocks = [
    ...packer.add({ seriesId: 5, times, values }),
    ...packer.add(small),
    ...packer.end(),
  ];
  t.true(blocks.length > 3);
  const read = blocks.flatMap(({ body }) => [...readBlock(Buffer.from(body), (id) => id === 5)]);
  t.deepEqual(
    read.flatMap((piece) => [...piece.values]),
    [...values],
  );
  t.is(blocks.at(-1)?.lastSeries, 9);
  t.is(
    blocks.reduce((sum, block) => sum + block.points, 0),
    100_003,
  );
});

test("cells tell what the points of their step were", (t) => {
  const points: [number, number][] = [
    [0, 10],
    [60_000, 12.5],
    [240_000, 4],
    [300_000, 5],
  ];
  const piece = {
    seriesId: 3,
    times: Float64Array.from(points, ([ms]) => ms),
    values: Float64Array.from(points, ([, value]) => value),
  };
  const cells = cellsOf(piece, 300_000);
  t.deepEqual(cells[0], {
    startMs: 0,
    count: 3,
    sum: 26.5,
    minimum: 4,
    maximum: 12.5,
    first: 10,
    last: 4,
    firstMs: 0,
    lastMs: 240_000,
    increase: 6.5,
  });
  t.is(cells.length, 2);
  const body = packBlock(packCells(3, cells, false), 3);
  t.deepEqual([...unpackCells(readBlock(body, () => true))], [{ seriesId: 3, cells }]);
  const gauge = packBlock(packCells(3, cells, true), 3);
  const [read] = unpackCells(readBlock(gauge, () => true));
  t.deepEqual(read?.cells[1], { ...cells[1], increase: Number.NaN });
});
