import type { Clock } from "../../lib/clock.ts";

/** A token bucket for each key: `perSecond` in the long run, `burst` at once. */
export interface RateLimit {
  /** Takes one token. Zero when there was one, else the milliseconds until there is. */
  take(key: string): number;
  /** The same without taking it. */
  wait(key: string): number;
}

const MOST_BUCKETS = 100_000;

export function makeRateLimit(perSecond: number, burst: number, clock: Clock): RateLimit {
  const buckets = new Map<string, { tokens: number; at: number }>();
  const refill = (bucket: { tokens: number; at: number }, now: number) =>
    Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond);

  return {
    wait(key) {
      const bucket = buckets.get(key);
      const tokens = bucket ? refill(bucket, clock.monotonic()) : burst;
      return tokens < 1 ? ((1 - tokens) / perSecond) * 1000 : 0;
    },

    take(key) {
      const now = clock.monotonic();
      const bucket = buckets.get(key) ?? { tokens: burst, at: now };
      bucket.tokens = refill(bucket, now);
      bucket.at = now;
      if (!buckets.has(key) && buckets.size >= MOST_BUCKETS) {
        // Full buckets carry no memory; forgetting them frees nobody of a limit.
        for (const [other, old] of buckets) if (refill(old, now) >= burst) buckets.delete(other);
        if (buckets.size >= MOST_BUCKETS) return 1000;
      }
      buckets.set(key, bucket);
      if (bucket.tokens < 1) return ((1 - bucket.tokens) / perSecond) * 1000;
      bucket.tokens -= 1;
      return 0;
    },
  };
}
