import type { Budget } from "./budget.ts";
import type { Kept } from "./kept.ts";
import { readStretches } from "./stretches.ts";
import type { PointsView } from "./view.ts";

/** How far back the first look goes; each one after it goes as far again, times this. */
const FIRST_LOOK_MS = 10 * 60_000;
const LOOK_FACTOR = 6;

export interface LatestPoint {
  ms: number;
  value: number;
}

/**
 * The newest point of each series that is not older than `oldestMs`; of several at that time the
 * one that arrived first. Looks back further and further, for those that are still missing.
 */
export async function readLatest(
  view: PointsView,
  query: { seriesIds: ReadonlySet<number>; nowMs: number; oldestMs: number; kept: Kept },
  budget: Budget,
): Promise<Map<number, LatestPoint>> {
  const { seriesIds, nowMs, oldestMs, kept } = query;
  const latest = new Map<number, LatestPoint>();
  let missing = seriesIds;
  let endMs = Number.MAX_SAFE_INTEGER - FIRST_LOOK_MS * 1000; // points may be ahead of this clock
  for (let back = FIRST_LOOK_MS; missing.size > 0 && endMs > oldestMs; back *= LOOK_FACTOR) {
    const startMs = Math.max(oldestMs, nowMs - back);
    const found = await readStretches(view, {
      seriesIds: missing,
      span: { startMs, endMs },
      answerFrom: startMs,
      rollup: undefined,
      kept,
      mostPoints: Number.POSITIVE_INFINITY,
      budget,
    });
    for (const [seriesId, stretches] of found?.series ?? []) {
      const last = stretches.at(-1);
      if (!last || !("piece" in last)) continue;
      const { times, values } = last.piece;
      latest.set(seriesId, { ms: times.at(-1) as number, value: values.at(-1) as number });
    }
    missing = new Set([...missing].filter((seriesId) => !latest.has(seriesId)));
    endMs = startMs;
  }
  return latest;
}
