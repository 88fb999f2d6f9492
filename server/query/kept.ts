import { ROLLUPS, type Rollup } from "../chunks/rollup.ts";
import { windowOf } from "../chunks/windows.ts";
import type { Span } from "./rules.ts";

/** From when on there are points, and steps of five minutes; steps of an hour may be older still. */
export interface Kept {
  /** Both are where a day begins, in ms since 1970. */
  pointsFrom: number;
  fiveMinutesFrom: number;
}

export function keptSince(nowMs: number, retention: { points: number; fiveMinutes: number }): Kept {
  return {
    pointsFrom: windowOf(nowMs - retention.points),
    fiveMinutesFrom: windowOf(nowMs - retention.fiveMinutes),
  };
}

const [HOURLY, FIVE_MINUTES] = ROLLUPS;

/** Which roll-up is to be read from which day on, if `wanted` is what would be read by choice. */
export function rollupsOver(
  { startMs, endMs }: Span,
  { pointsFrom, fiveMinutesFrom }: Kept,
  wanted: Rollup | undefined,
): { rollup: Rollup; windows: Span }[] {
  const hourlyUntil = Math.min(pointsFrom, fiveMinutesFrom);
  const regions: { rollup: Rollup | undefined; startMs: number; endMs: number }[] = [
    { rollup: HOURLY, startMs: Number.NEGATIVE_INFINITY, endMs: hourlyUntil },
    { rollup: wanted ?? FIVE_MINUTES, startMs: hourlyUntil, endMs: pointsFrom },
    { rollup: wanted, startMs: pointsFrom, endMs: Number.POSITIVE_INFINITY },
  ];
  return regions.flatMap(({ rollup, ...region }) => {
    const windows = {
      startMs: Math.max(startMs, region.startMs),
      endMs: Math.min(endMs, region.endMs),
    };
    return rollup && windows.startMs < windows.endMs ? [{ rollup, windows }] : [];
  });
}
