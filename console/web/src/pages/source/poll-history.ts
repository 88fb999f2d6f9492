import type { Point } from "../../charts/points.ts";
import type { Loss } from "../../charts/series-chart.tsx";
import { type Span, useRange } from "../../client/range.ts";
import { SOURCE_LABEL } from "../../sources/status.tsx";
import { equal } from "../../words/labels.ts";

/**
 * What the server writes of each poll of a source: whether it was up, and how long it took. Of a
 * longer span the average in steps, unless every poll is asked for.
 */
export function usePollHistory(sourceId: string, span: Span, isEach = false) {
  const common = {
    matchers: [equal(SOURCE_LABEL, sourceId)],
    span,
    ...(isEach && { stepMs: 0 }),
  };
  const up = useRange({ ...common, metric: "up" });
  const took = useRange({ ...common, metric: "poll.duration" });
  return {
    up,
    took,
    ups: up.data?.series[0]?.points ?? [],
    durations: took.data?.series[0]?.points ?? [],
  };
}

/** The stretches in which it was down, or was for a part. A point counts until the next one. */
export function downTimes(ups: Point[], to: number): Loss[] {
  const losses: Loss[] = [];
  ups.forEach(({ time, value }, index) => {
    if (value >= 1) return;
    const end = ups[index + 1]?.time ?? to;
    const last = losses.at(-1);
    const reason = value > 0 ? `up for ${Math.round(value * 100)}% of this time` : "it was down";
    if (last && last.to === time && last.reason === reason) last.to = end;
    else losses.push({ from: time, to: end, reason });
  });
  return losses;
}
