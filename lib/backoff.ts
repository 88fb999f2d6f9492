/** Waiting times between attempts: exponential with full jitter, never giving up. */
export interface Backoff {
  /** The next wait in milliseconds: random between 0 and a ceiling that doubles, or `atLeast` if that is longer. */
  next(atLeast?: number): number;
  /** Starts again from the first ceiling; call it after a success. */
  reset(): void;
}

export function makeBackoff(
  firstMs = 1_000,
  mostMs = 60_000,
  random: () => number = Math.random,
): Backoff {
  let ceiling = firstMs;
  return {
    next(atLeast = 0) {
      const wait = Math.max(random() * ceiling, atLeast);
      ceiling = Math.min(ceiling * 2, mostMs);
      return wait;
    },
    reset() {
      ceiling = firstMs;
    },
  };
}
