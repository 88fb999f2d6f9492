import test from "ava";
import { makeBackoff } from "../../lib/backoff.ts";
import { startLoop } from "../../lib/loop.ts";
import { makeManualClock } from "../support/manual-clock.ts";

const settle = () => new Promise((resolve) => setImmediate(resolve));

function startCounting(round: () => Promise<void> | void = () => {}) {
  const clock = makeManualClock();
  const stop = new AbortController();
  const errors: unknown[] = [];
  let rounds = 0;
  const loop = startLoop(
    async () => {
      rounds += 1;
      await round();
    },
    { every: () => 1000, signal: stop.signal, onError: (error) => errors.push(error), clock },
  );
  return { clock, stop, loop, errors, rounds: () => rounds };
}

test("a loop runs at once, then each time the interval has passed", async (t) => {
  const { clock, stop, loop, rounds } = startCounting();
  await settle();
  t.is(rounds(), 1);
  clock.advance(999);
  await settle();
  t.is(rounds(), 1);
  clock.advance(1);
  await settle();
  t.is(rounds(), 2);
  stop.abort();
  await loop.done;
});

test("a round that fails is reported, and the loop goes on", async (t) => {
  const { clock, stop, loop, errors, rounds } = startCounting(() => {
    throw new Error("no");
  });
  await settle();
  clock.advance(1000);
  await settle();
  t.deepEqual([rounds(), errors.length], [2, 2]);
  stop.abort();
  await loop.done;
});

test("waking it starts the next round now, and it never overlaps itself", async (t) => {
  let running = 0;
  let most = 0;
  const { stop, loop, rounds } = startCounting(async () => {
    running += 1;
    most = Math.max(most, running);
    await settle();
    running -= 1;
  });
  for (let turn = 0; turn < 20; turn += 1) {
    loop.wake();
    await settle();
  }
  t.true(rounds() > 3);
  t.is(most, 1);
  stop.abort();
  await loop.done;
});

test("backoff grows with full jitter up to its ceiling, obeys a longer demand, and starts over", (t) => {
  const most = makeBackoff(1000, 60_000, () => 1);
  const waits = Array.from({ length: 8 }, () => most.next());
  t.deepEqual(waits, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  most.reset();
  t.is(most.next(), 1000);
  t.is(makeBackoff(1000, 60_000, () => 0).next(5000), 5000);
});
