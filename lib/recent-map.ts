import { type Clock, systemClock } from "./clock.ts";
import { makeExpiry } from "./expiry.ts";

/** A map of bounded size that forgets what nobody has asked for in a while. */
export interface RecentMap<Value> {
  get(key: string): Value | undefined;
  set(key: string, value: Value): void;
}

/** Memory that each entry takes besides the characters of its key, about. */
const ENTRY_BYTES = 100;

/**
 * Keeps at least half of `mostBytes` of what was used last; values are taken to be small. Nothing is
 * believed for longer than `forgetAfterMs`, by whichever clock says so first: then all is forgotten.
 */
export function makeRecentMap<Value>(
  mostBytes: number,
  { forgetAfterMs, clock = systemClock }: { forgetAfterMs?: number; clock?: Clock } = {},
): RecentMap<Value> {
  // Two generations: when the young one fills its half, the old one is let go.
  let young = new Map<string, Value>();
  let old = new Map<string, Value>();
  let youngBytes = 0;
  const isExpired = forgetAfterMs === undefined ? undefined : makeExpiry(forgetAfterMs, clock);

  const set = (key: string, value: Value) => {
    if (!young.has(key)) {
      const bytes = key.length + ENTRY_BYTES;
      if (youngBytes + bytes > mostBytes / 2) {
        old = young;
        young = new Map();
        youngBytes = 0;
      }
      youngBytes += bytes;
    }
    young.set(key, value);
  };

  return {
    get(key) {
      if (isExpired?.()) {
        young = new Map();
        old = new Map();
        youngBytes = 0;
      }
      const found = young.get(key);
      if (found !== undefined) return found;
      const again = old.get(key);
      if (again !== undefined) set(key, again);
      return again;
    },
    set,
  };
}
