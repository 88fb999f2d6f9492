import test from "ava";
import fc from "fast-check";
import { FairQueue } from "../../../collector/work/fair-queue.ts";

const always = () => true;

/** Takes turns in one slot, everybody coming back at once; what each has spent in the end. */
function takeTurns(costs: number[], spans: number[], turns: number): number[] {
  const queue = new FairQueue<number>();
  const spent = costs.map(() => 0);
  const push = (job: number) => queue.push({ key: `${job}`, job, cost: costs[job] ?? 0 });
  costs.forEach((_, job) => {
    push(job);
  });
  for (let turn = 0; turn < turns; turn += 1) {
    const next = queue.next(always);
    if (!next) throw new Error("nobody waits");
    const took = spans[next.job] ?? 0;
    spent[next.job] = (spent[next.job] ?? 0) + took;
    queue.settle(next.key, next.cost, took);
    push(next.job);
  }
  return spent;
}

test("whoever always waits gets the same time, whatever a turn of theirs takes", (t) => {
  const cost = fc.integer({ min: 1, max: 5_000 });
  fc.assert(
    fc.property(fc.array(cost, { minLength: 2, maxLength: 8 }), (costs) => {
      const spent = takeTurns(costs, costs, 20_000);
      const largest = Math.max(...costs);
      return Math.max(...spent) - Math.min(...spent) <= 2 * largest + 100;
    }),
    { numRuns: 50 },
  );
  t.pass();
});

test("taking longer than expected is paid for, so that it gains nobody anything", (t) => {
  const cost = fc.integer({ min: 1, max: 2_000 });
  const pair = fc
    .tuple(cost, fc.nat(2_000))
    .map(([expected, more]) => ({ expected, real: expected + more }));
  fc.assert(
    fc.property(fc.array(pair, { minLength: 2, maxLength: 6 }), (pairs) => {
      const spent = takeTurns(
        pairs.map(({ expected }) => expected),
        pairs.map(({ real }) => real),
        20_000,
      );
      return Math.max(...spent) - Math.min(...spent) <= 3 * 4_000 + 100;
    }),
    { numRuns: 50 },
  );
  t.pass();
});

test("everybody who waits is served, and only who may start", (t) => {
  const waiting = fc.array(fc.record({ cost: fc.nat(60_000), mayStart: fc.boolean() }), {
    maxLength: 50,
  });
  fc.assert(
    fc.property(waiting, (all) => {
      const queue = new FairQueue<{ cost: number; mayStart: boolean }>();
      all.forEach((job, index) => {
        queue.push({ key: `${index}`, job, cost: job.cost });
      });
      const served = new Set<string>();
      for (
        let next = queue.next(({ job }) => job.mayStart);
        next;
        next = queue.next(({ job }) => job.mayStart)
      ) {
        served.add(next.key);
      }
      return all.every(({ mayStart }, index) => served.has(`${index}`) === mayStart);
    }),
  );
  t.pass();
});

test("one job of a key waits at a time, and those that are over leave", (t) => {
  const queue = new FairQueue<string>();
  t.true(queue.push({ key: "a", job: "first", cost: 1 }));
  t.false(queue.push({ key: "a", job: "second", cost: 1 }));
  t.true(queue.push({ key: "b", job: "third", cost: 1 }));
  t.deepEqual(
    queue.remove(({ key }) => key === "a").map(({ job }) => job),
    ["first"],
  );
  t.is(queue.next(always)?.job, "third");
  t.is(queue.next(always), undefined);
});
