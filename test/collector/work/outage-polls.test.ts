import { create } from "@bufbuild/protobuf";
import test from "ava";
import fc from "fast-check";
import type { Source } from "../../../collector/work/assignments.ts";
import { latestSlot, OutagePolls } from "../../../collector/work/outage-polls.ts";
import { AssignmentSchema } from "../../../gen/lumetry/edge/v1/work_pb.js";
import { makeManualClock } from "../../support/manual-clock.ts";

const sourceOf = (sourceId: string, intervalMs: number, phaseMs: number): Source => ({
  assignment: create(AssignmentSchema, { sourceId }),
  intervalMs,
  phaseMs,
  timeoutMs: 1_000,
});

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Outage polls of some sources, on a clock that stands still until it is moved. */
function scene(sources: Source[], start = 1_700_000_000_000) {
  const clock = makeManualClock(start);
  const polled: [string, number][] = [];
  const busy = new Set<string>();
  const stop = new AbortController();
  const polls = new OutagePolls({
    sources: () => sources,
    serverNow: () => clock.now(),
    poll: ({ assignment }, slot) => {
      if (busy.has(assignment.sourceId)) return false;
      polled.push([assignment.sourceId, slot]);
      return true;
    },
    clock,
    onError: (error) => {
      throw error;
    },
  });
  void polls.run(stop.signal);
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 250) {
      clock.advance(250);
      await settle();
    }
  };
  return { clock, polled, busy, polls, stop, pass };
}

test("in an outage every slot of every source is polled once, and none that the server handed out", async (t) => {
  const plan = fc.array(
    fc.record({ interval: fc.integer({ min: 5, max: 120 }), phase: fc.nat(100) }),
    { minLength: 1, maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(plan, fc.nat(60), async (plans, handedSeconds) => {
      const sources = plans.map(({ interval, phase }, index) =>
        sourceOf(`${index}`, interval * 1_000, ((phase * interval) / 100) * 1_000),
      );
      const { clock, polled, polls, stop, pass } = scene(sources);
      const begun = clock.now();
      await pass(handedSeconds * 1_000);
      // The server handed out everything until now, and is gone.
      for (const source of sources) {
        const slot = latestSlot(source, clock.now());
        if (slot > begun) polls.noteSlot(source.assignment.sourceId, slot);
      }
      const covered = clock.now();
      polls.end(covered);
      await pass(2_000);
      polls.begin();
      await pass(300_000);
      const until = clock.now();
      polls.end(until);
      await pass(60_000);
      stop.abort();
      for (const source of sources) {
        const { sourceId } = source.assignment;
        const mine = polled.filter(([id]) => id === sourceId).map(([, slot]) => slot);
        const wanted: number[] = [];
        for (
          let slot = latestSlot(source, covered) + source.intervalMs;
          slot <= until;
          slot += source.intervalMs
        ) {
          wanted.push(slot);
        }
        t.deepEqual(mine, wanted);
      }
    }),
    { numRuns: 15 },
  );
});

test("a source that is to be left alone is, and one that ends is forgotten", async (t) => {
  const sources = [sourceOf("a", 10_000, 0)];
  const { clock, polled, polls, stop, pass } = scene(sources);
  polls.begin();
  polls.leaveAlone("a", clock.now() + 60_000);
  await pass(59_000);
  t.deepEqual(polled, []);
  await pass(5_000);
  t.is(polled.length, 1);
  sources.pop();
  polls.forget("a");
  await pass(30_000);
  t.is(polled.length, 1);
  stop.abort();
});

test("after a long sleep of the machine only what is not too late is polled", async (t) => {
  const { clock, polled, polls, stop, pass } = scene([sourceOf("a", 60_000, 0)], 1_700_000_040_000);
  polls.begin();
  await pass(1_000);
  polled.length = 0;
  clock.advance(3_600_000 + 45_000);
  await settle();
  t.deepEqual(polled, []);
  await pass(20_000);
  t.is(polled.length, 1);
  stop.abort();
});

test("what the server handed out in an answer that was lost is polled on, until it is handed out again", async (t) => {
  const sources = [sourceOf("lost", 5_000, 0), sourceOf("heard", 5_000, 0)];
  const { clock, polled, polls, stop, pass } = scene(sources);
  polls.doubt();
  polls.end(clock.now());
  polls.noteSlot("heard", clock.now());
  await pass(20_000);
  t.deepEqual([...new Set(polled.map(([id]) => id))], ["lost"]);
  t.true(polled.length >= 3);
  polls.noteSlot("lost", clock.now());
  polled.length = 0;
  polls.end(clock.now());
  await pass(20_000);
  t.deepEqual(polled, []);
  stop.abort();
});

test("a server that declines ends it at once; one that comes back has a moment to hand out what is due", async (t) => {
  const { clock, polled, polls, stop, pass } = scene([sourceOf("a", 10_000, 0)]);
  polls.doubt();
  polls.end(clock.now(), { isDeclined: true });
  await pass(30_000);
  t.deepEqual(polled, []);

  const slot = latestSlot(sourceOf("a", 10_000, 0), clock.now());
  await pass(3_000);
  polls.doubt();
  polls.end(clock.now());
  await pass(1_000);
  t.deepEqual(polled, []);
  await pass(1_000);
  t.deepEqual(polled, [["a", slot]]);
  stop.abort();
});

test("a slot that could not be polled at once is tried again", async (t) => {
  const { polled, busy, polls, stop, pass } = scene([sourceOf("a", 10_000, 0)]);
  busy.add("a");
  polls.begin();
  await pass(11_000);
  t.deepEqual(polled, []);
  busy.clear();
  await pass(500);
  t.is(polled.length, 1);
  stop.abort();
});
