import type { Clock } from "../../lib/clock.ts";
import { makeManualClock } from "./manual-clock.ts";

const TICK_MS = 2;

/**
 * A clock on which an hour passes in seconds: each time this process has a moment to spare, time goes on
 * by a step. However busy the machine is, no more than a step passes unseen.
 */
export function startHastyClock(stepMs: number): Clock & Disposable {
  const clock = makeManualClock();
  const ticking = setInterval(() => clock.advance(stepMs), TICK_MS);
  return {
    ...clock,
    [Symbol.dispose]: () => clearInterval(ticking),
  };
}
