import { Code } from "@connectrpc/connect";
import type { Clock } from "../../lib/clock.ts";
import { problem, Reason } from "../problem.ts";

const MOST_WRONG = 10;
const WINDOW_MS = 15 * 60_000;
const MOST_REMEMBERED = 100_000;

/**
 * Counts wrong passwords for each e-mail address, whoever sends them and whether or not there is
 * such a person. Kept in memory: each server process counts for itself, and a restart forgets.
 */
export interface Attempts {
  /**
   * Runs one check of a password; what is falsy was wrong, and what is right clears the count. Throws
   * RESOURCE_EXHAUSTED without running it after too many wrong ones.
   */
  guess<T>(email: string, check: () => Promise<T>): Promise<T>;
  /** Clears the count of somebody who proved otherwise who they are. */
  clear(email: string): void;
}

interface Count {
  wrong: number;
  /** When the wrong ones are forgotten. */
  until: number;
  /** Not known yet to be right or wrong, so that many at once get no more guesses. */
  underWay: number;
}

export function makeAttempts(clock: Clock): Attempts {
  const counts = new Map<string, Count>();

  const countFor = (key: string): Count => {
    const now = clock.monotonic();
    const known = counts.get(key);
    if (known) {
      if (known.until <= now) known.wrong = 0;
      return known;
    }
    if (counts.size >= MOST_REMEMBERED) {
      // Filling the memory to be forgotten takes more guesses than it gives.
      const [oldest] = counts.keys();
      if (oldest !== undefined) counts.delete(oldest);
    }
    const count = { wrong: 0, until: 0, underWay: 0 };
    counts.set(key, count);
    return count;
  };

  return {
    async guess(email, check) {
      const key = email.toLowerCase();
      const count = countFor(key);
      if (count.wrong + count.underWay >= MOST_WRONG) {
        const wait = count.wrong >= MOST_WRONG ? count.until - clock.monotonic() : 1000;
        throw problem(
          Code.ResourceExhausted,
          Reason.OVERLOADED,
          `too many wrong passwords for this e-mail address; come again in ${Math.ceil(wait / 1000)} s`,
          wait,
        );
      }
      count.underWay += 1;
      try {
        const outcome = await check();
        if (outcome) count.wrong = 0;
        else {
          if (count.wrong === 0) count.until = clock.monotonic() + WINDOW_MS;
          count.wrong += 1;
        }
        return outcome;
      } finally {
        count.underWay -= 1;
        if (count.wrong === 0 && count.underWay === 0 && counts.get(key) === count) {
          counts.delete(key);
        }
      }
    },

    clear(email) {
      counts.delete(email.toLowerCase());
    },
  };
}
