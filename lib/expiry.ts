import type { Clock } from "./clock.ts";

/**
 * Whether something kept may no longer be believed: true once each time that so many milliseconds
 * have passed since it last was, by whichever clock says so first.
 */
export function makeExpiry(afterMs: number, clock: Clock): () => boolean {
  let since = { now: clock.now(), monotonic: clock.monotonic() };
  return () => {
    const now = clock.now();
    const monotonic = clock.monotonic();
    if (Math.abs(now - since.now) < afterMs && monotonic - since.monotonic < afterMs) return false;
    since = { now, monotonic };
    return true;
  };
}
