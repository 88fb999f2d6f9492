import test from "ava";
import fc from "fast-check";
import { systemClock } from "../../../lib/clock.ts";
import { makeKnownSeries, type NameBytes } from "../../../server/ingest/known-series.ts";

const NEVER = { forgetAfterMs: Number.POSITIVE_INFINITY, clock: systemClock };

/** A name somewhere in the midst of other bytes. */
function lying(text: string, before = 0): NameBytes {
  const bytes = Buffer.concat([Buffer.alloc(before, 7), Buffer.from(text), Buffer.alloc(3, 9)]);
  const { buffer, byteOffset, length } = bytes;
  const end = length - 3;
  return { view: new DataView(buffer, byteOffset, length), start: before, end };
}

test("what was set is found by the same sender and the same bytes, wherever they lie", (t) => {
  const known = makeKnownSeries(1 << 20, NEVER);
  const model = new Map<string, number>();
  const name = fc.string({ maxLength: 12 });
  const sender = fc.integer({ min: 1, max: 3 });
  fc.assert(
    fc.property(
      sender,
      name,
      fc.nat(9),
      fc.integer({ min: 1, max: 2 ** 51 }),
      (by, text, at, id) => {
        const key = `${by} ${text}`;
        t.is(known.find(by, lying(text, at)), model.get(key));
        known.set(by, lying(text), id);
        if (!model.has(key)) model.set(key, id);
        t.is(known.find(by, lying(text, at)), model.get(key));
      },
    ),
    { numRuns: 5_000 },
  );
});

test("what follows what was found is found for its own sender only", (t) => {
  const known = makeKnownSeries(1 << 20, NEVER);
  known.set(1, lying("first"), 1);
  known.set(2, lying("second"), 2);
  t.is(known.find(1, lying("first")), 1);
  t.is(known.find(1, lying("second")), undefined);
  t.is(known.find(1, lying("first")), 1);
  t.is(known.find(2, lying("second")), 2);
});

test("a hundred thousand series are all found again", (t) => {
  const known = makeKnownSeries(64 << 20, NEVER);
  const text = (number: number) => `metric.${number % 30} host=${number}`;
  for (let number = 0; number < 100_000; number += 1) known.set(1, lying(text(number)), number);
  let missing = 0;
  for (let number = 0; number < 100_000; number += 1) {
    const found = known.find(1, lying(text(number), 5));
    if (found === undefined) missing += 1;
    else if (found !== number) t.fail(`${text(number)} is ${found}`);
  }
  t.is(missing, 0);
});

test("what is asked for stays, and what nobody asks for makes room", (t) => {
  const known = makeKnownSeries(100_000, NEVER);
  known.set(1, lying("often"), 1);
  known.set(1, lying("once"), 2);
  for (let number = 0; number < 10_000; number += 1) {
    known.set(1, lying(`passing ${number}`), number);
    if (known.find(1, lying("often")) !== 1) return t.fail(`forgotten after ${number}`);
  }
  t.is(known.find(1, lying("once")), undefined);
});

test("nothing is believed for longer than it may be, by either clock", (t) => {
  const clock = { ...systemClock, now: () => now, monotonic: () => monotonic };
  let [now, monotonic] = [1_700_000_000_000, 0];
  const known = makeKnownSeries(1 << 20, { forgetAfterMs: 1_000, clock });
  const find = () => {
    known.forgetOld();
    return known.find(1, lying("a"));
  };
  known.set(1, lying("a"), 7);
  monotonic = 999;
  t.is(find(), 7);
  monotonic = 1_000;
  t.is(find(), undefined);
  known.set(1, lying("a"), 8);
  // A machine that slept has a monotonic clock that stood still.
  now += 1_000;
  t.is(find(), undefined);
});
