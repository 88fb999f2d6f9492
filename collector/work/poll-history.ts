import type { Taken } from "./take-reading.ts";

/** How much of what is expected comes from the last poll. */
const WEIGHT = 0.3;
const FIRST_EXPECTED_MS = 1_000;
/** A source is slow if it is expected to take longer. */
export const SLOW_MS = 1_000;

/** Failures at once are cheap: a source that is down is looked at as often as before, for a while. */
const PATIENCE = 10;
const MOST_STRETCH = 8;
const MOST_BACK_OFF_MS = 600_000;

export type Pace = "quick" | "slow" | "unknown";

interface Past {
  expectedMs: number;
  /** In a row. */
  failures: number;
  timeouts: number;
}

/** What is known of each source from its last polls: how long to expect, and when to leave it alone. */
export class PollHistory {
  #pasts = new Map<string, Past>();

  expectedMs(sourceId: string): number {
    return this.#pasts.get(sourceId)?.expectedMs ?? FIRST_EXPECTED_MS;
  }

  /** How a source is known: by its last polls, or not at all. */
  paceOf(sourceId: string): Pace {
    const past = this.#pasts.get(sourceId);
    return !past ? "unknown" : past.expectedMs > SLOW_MS ? "slow" : "quick";
  }

  note(sourceId: string, { spentMs, ranOutOfTime, reading }: Taken): void {
    const past = this.#pasts.get(sourceId);
    const expectedMs = past ? past.expectedMs * (1 - WEIGHT) + spentMs * WEIGHT : spentMs;
    this.#pasts.set(sourceId, {
      expectedMs: ranOutOfTime ? Math.max(expectedMs, spentMs) : expectedMs,
      failures: reading.up ? 0 : (past?.failures ?? 0) + 1,
      timeouts: ranOutOfTime ? (past?.timeouts ?? 0) + 1 : 0,
    });
  }

  /**
   * For how long not to poll it again, in milliseconds; zero for a source that does as it should. One
   * that takes all its time is left alone for two, four, eight intervals; one that fails at once is
   * polled half as often after ten failures.
   */
  backOffMs(sourceId: string, intervalMs: number): number {
    const past = this.#pasts.get(sourceId);
    const stretch =
      past === undefined
        ? 1
        : past.timeouts > 0
          ? Math.min(2 ** past.timeouts, MOST_STRETCH)
          : past.failures > PATIENCE
            ? 2
            : 1;
    if (stretch === 1) return 0;
    return Math.max(intervalMs, Math.min(intervalMs * stretch, MOST_BACK_OFF_MS));
  }

  forget(sourceId: string): void {
    this.#pasts.delete(sourceId);
  }
}
