import test from "ava";
import fc from "fast-check";
import {
  advance,
  formatSnapshot,
  parseSnapshot,
  type Snapshot,
  sees,
} from "../../../server/readers/snapshot.ts";

/** What happens to transactions that are numbered as they begin: each ends some time later. */
const anyHistory = fc.array(
  fc.record({
    begin: fc.nat(3),
    end: fc.array(fc.nat(20), { maxLength: 4 }),
    through: fc.nat(100).map((part) => part / 100),
  }),
  { minLength: 1, maxLength: 25 },
);

function snapshotOf(next: bigint, running: Set<bigint>): Snapshot {
  return { xmax: next, running: [...running].sort((a, b) => (a < b ? -1 : 1)) };
}

test("whatever ends when, portion by portion each transaction is seen once it is over, and once", (t) => {
  fc.assert(
    fc.property(anyHistory, (steps) => {
      let next = 1n;
      const running = new Set<bigint>();
      const ended: bigint[] = [];
      const read: bigint[] = [];
      let seen: Snapshot = { xmax: 1n, running: [] };
      const readSome = (part: number) => {
        const now = snapshotOf(next, running);
        const unseen = ended.filter((id) => !sees(seen, id)).sort((a, b) => (a < b ? -1 : 1));
        const through = unseen[Math.floor(unseen.length * part)];
        if (through === undefined) {
          read.push(...unseen);
          seen = now;
          return;
        }
        read.push(...unseen.filter((id) => id <= through));
        seen = advance(seen, now, through);
      };
      for (const { begin, end, through } of steps) {
        for (let count = 0; count < begin; count += 1) running.add(next++);
        for (const which of end) {
          const id = [...running][which % Math.max(1, running.size)];
          if (id === undefined) continue;
          running.delete(id);
          ended.push(id);
        }
        readSome(through);
        t.deepEqual(parseSnapshot(formatSnapshot(seen)), seen);
        for (const id of read) t.true(sees(seen, id));
      }
      readSome(1);
      t.deepEqual(
        read.toSorted((a, b) => (a < b ? -1 : 1)),
        ended.toSorted((a, b) => (a < b ? -1 : 1)),
      );
    }),
    { numRuns: 2000 },
  );
});

test("a snapshot that is none is refused", (t) => {
  for (const text of ["", "1:2", "1:2:3,", "a:b:", "1:2:3,x"]) {
    t.throws(() => parseSnapshot(text), { message: /is not a snapshot/ });
  }
});
