import type { Evidence } from "../alerts/table.ts";
import type { Group } from "./evaluator.ts";

const MOST_SERIES = 5;
const MOST_POINTS = 20;

/**
 * The points that decide about a group: of the series that are farthest beyond, the newest ones. In plain
 * form, since they outlive the points themselves.
 */
export function evidenceOf({ rule, members }: Group, atMs: number): Evidence {
  const { condition, keepMs } = rule;
  const sign = condition.kind === "bound" && !condition.isAbove ? -1 : 1;
  const rank = (value: number | undefined) => (value === undefined ? -Infinity : value * sign);
  const series = members
    .toSorted((a, b) => rank(b.measured?.value) - rank(a.measured?.value))
    .slice(0, MOST_SERIES)
    .map(({ series: { labels, points } }) => {
      const afterMs = condition.kind === "absence" ? -Infinity : atMs - keepMs;
      const { times, values } = points.between(afterMs, Infinity);
      return {
        labels,
        points: times.slice(-MOST_POINTS).map((ms, at) => ({
          time: new Date(ms).toISOString(),
          value: plain(values.slice(-MOST_POINTS)[at] as number),
        })),
      };
    });
  return { seriesCount: members.length, series };
}

/** JSON has no infinite numbers. */
const plain = (value: number) => (Number.isFinite(value) ? value : String(value));
