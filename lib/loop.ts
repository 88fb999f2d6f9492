import { type Clock, systemClock } from "./clock.ts";

export interface LoopOptions {
  /** Milliseconds from one start to the next, asked anew for each round. */
  every: () => number;
  /** Fraction by which each wait varies either way; 0.2 turns 30 s into 24 to 36 s. */
  jitter?: number;
  signal: AbortSignal;
  /** A round that throws ends here and the loop goes on. */
  onError: (error: unknown) => void;
  clock?: Clock;
  random?: () => number;
}

/** Periodic work that can be hurried along. */
export interface Loop {
  /** Starts the next round now, or right after the one under way. */
  wake(): void;
  /** Settles when the signal was aborted and the round under way has ended. */
  readonly done: Promise<void>;
}

/** Runs `round` at once and then periodically, never overlapping itself, until the signal aborts. */
export function startLoop(
  round: (signal: AbortSignal) => Promise<void> | void,
  options: LoopOptions,
): Loop {
  const { signal, jitter = 0, clock = systemClock, random = Math.random } = options;
  let nap = new AbortController();
  const run = async () => {
    while (!signal.aborted) {
      nap = new AbortController();
      const begun = clock.monotonic();
      try {
        await round(signal);
      } catch (error) {
        if (!signal.aborted) options.onError(error);
      }
      const wait = options.every() * (1 + jitter * (2 * random() - 1));
      const left = Math.max(0, wait - (clock.monotonic() - begun));
      await clock.sleep(left, AbortSignal.any([signal, nap.signal]));
    }
  };
  return { wake: () => nap.abort(), done: run() };
}
