import { create } from "@bufbuild/protobuf";
import test from "ava";
import fc from "fast-check";
import { PollHistory } from "../../../collector/work/poll-history.ts";
import { PollLane } from "../../../collector/work/poll-lane.ts";
import { ReadingSchema } from "../../../gen/lumetry/source/v1/reading_pb.js";
import { makeManualClock } from "../../support/manual-clock.ts";

const STEP_MS = 50;
const settle = () => new Promise((resolve) => setImmediate(resolve));

interface Plan {
  /** How long a poll takes; the budget for one that hangs. */
  takesMs: number;
  intervalMs: number;
  phaseMs: number;
}

interface Lived {
  /** By source: how late each poll started, in milliseconds. */
  lateness: number[][];
  polls: number[];
  mostRunning: number;
  mostOfOneSource: number;
  skipped: number;
}

/** Lives through some minutes of a collector in virtual time. */
async function live(
  plans: Plan[],
  options: { slots: number; budgetMs: number; forMs: number },
): Promise<Lived> {
  const { slots, budgetMs, forMs } = options;
  const clock = makeManualClock();
  const history = new PollHistory();
  const lane = new PollLane({ slots, history, clock });
  const lived: Lived = {
    lateness: plans.map(() => []),
    polls: plans.map(() => 0),
    mostRunning: 0,
    mostOfOneSource: 0,
    skipped: 0,
  };
  const running = new Map<number, number>();
  const due = plans.map(({ phaseMs }) => phaseMs);
  const never = new AbortController().signal;
  const add = (plan: Plan, index: number, dueAt: number) =>
    lane.add({
      sourceId: `${index}`,
      dueAt,
      skipAfter: dueAt + plan.intervalMs,
      async run() {
        lived.lateness[index]?.push(clock.monotonic() - dueAt);
        lived.polls[index] = (lived.polls[index] ?? 0) + 1;
        running.set(index, (running.get(index) ?? 0) + 1);
        lived.mostOfOneSource = Math.max(lived.mostOfOneSource, running.get(index) ?? 0);
        const all = [...running.values()].reduce((sum, count) => sum + count, 0);
        lived.mostRunning = Math.max(lived.mostRunning, all);
        const spentMs = Math.min(plan.takesMs, budgetMs);
        await clock.sleep(spentMs, never);
        running.set(index, (running.get(index) ?? 0) - 1);
        const ranOutOfTime = plan.takesMs >= budgetMs;
        return { spentMs, ranOutOfTime, reading: create(ReadingSchema, { up: !ranOutOfTime }) };
      },
      done() {
        // As the server does: not before it is asked to be left alone.
        const backOff = history.backOffMs(`${index}`, plan.intervalMs);
        if (backOff > 0) due[index] = Math.max(due[index] ?? 0, dueAt + backOff);
      },
      skip() {
        lived.skipped += 1;
      },
    });
  for (let now = 0; now < forMs; now += STEP_MS) {
    for (const [index, plan] of plans.entries()) {
      const dueAt = due[index] ?? 0;
      if (dueAt > now) continue;
      due[index] = dueAt + plan.intervalMs;
      add(plan, index, dueAt);
    }
    if (now % 500 === 0) lane.skipOverdue();
    clock.advance(STEP_MS);
    await settle();
  }
  return lived;
}

test("while a tenth of the sources hang, the others keep their intervals within a tenth", async (t) => {
  const plan = fc.record({
    sources: fc.integer({ min: 20, max: 200 }),
    slots: fc.integer({ min: 32, max: 64 }),
    takesMs: fc.integer({ min: 10, max: 200 }),
    seed: fc.nat(1_000),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ sources, slots, takesMs, seed }) => {
      const intervalMs = 30_000;
      const plans = Array.from({ length: sources }, (_, index) => ({
        takesMs: index % 10 === 0 ? 60_000 : takesMs,
        intervalMs,
        phaseMs: ((index * 7919 + seed * 31) % 600) * STEP_MS,
      }));
      const lived = await live(plans, { slots, budgetMs: 10_000, forMs: 150_000 });
      if (lived.mostRunning > slots) throw new Error("more polls than slots");
      if (lived.mostOfOneSource > 1) throw new Error("two polls of one source at once");
      for (const [index, late] of lived.lateness.entries()) {
        if (index % 10 === 0) continue;
        if (late.length < 5) throw new Error(`source ${index} was polled ${late.length} times`);
        const most = Math.max(...late);
        if (most > intervalMs / 10) throw new Error(`source ${index} was ${most} ms late`);
      }
    }),
    { numRuns: 12 },
  );
  t.pass();
});

test("however many sources hang at once, some slots are left for the others", async (t) => {
  const hanging = Array.from({ length: 100 }, () => ({
    takesMs: 60_000,
    intervalMs: 30_000,
    phaseMs: 0,
  }));
  const healthy = Array.from({ length: 20 }, () => ({
    takesMs: 50,
    intervalMs: 10_000,
    phaseMs: 10_000,
  }));
  const lived = await live([...hanging, ...healthy], {
    slots: 16,
    budgetMs: 10_000,
    forMs: 300_000,
  });
  t.true(lived.mostRunning >= 12);
  // Once they are known to be quick.
  const later = lived.lateness.slice(100).flatMap((late) => late.slice(1));
  t.true(later.length > 500);
  t.true(Math.max(...later) <= 1_000, `${Math.max(...later)} ms late`);
  t.true(lived.skipped > 0);
});

test("slow sources are left alone for longer and longer, failing ones a little, and good ones not at all", (t) => {
  const history = new PollHistory();
  const note = (up: boolean, ranOutOfTime: boolean) =>
    history.note("a", { spentMs: 50, ranOutOfTime, reading: create(ReadingSchema, { up }) });
  t.is(history.backOffMs("a", 30_000), 0);
  note(true, false);
  t.is(history.backOffMs("a", 30_000), 0);
  const timeouts = Array.from({ length: 6 }, () => {
    note(false, true);
    return history.backOffMs("a", 30_000) / 1_000;
  });
  t.deepEqual(timeouts, [60, 120, 240, 240, 240, 240]);
  t.is(history.backOffMs("a", 300_000), 600_000);
  t.is(history.backOffMs("a", 3_600_000), 3_600_000);
  note(true, false);
  t.is(history.backOffMs("a", 30_000), 0);
  for (let failure = 0; failure < 10; failure += 1) note(false, false);
  t.is(history.backOffMs("a", 30_000), 0);
  note(false, false);
  t.is(history.backOffMs("a", 30_000), 60_000);
});
