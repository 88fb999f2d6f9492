import {
  type Grouping,
  Grouping_Operation as Operation,
} from "../../gen/lumetry/v1/metric_query_service_pb.js";
import { type Columns, makeColumns } from "./columns.ts";
import { quantileOf } from "./quantile.ts";
import { InvalidQuery } from "./rules.ts";

export interface LabelledSeries {
  labels: Record<string, string>;
  points: Columns;
}

export function checkGrouping(grouping: Grouping, hasStep: boolean): void {
  if (!hasStep) throw new InvalidQuery("a grouping needs a step: set one");
  if (grouping.operation === Operation.TOP && grouping.limit === 0) {
    throw new InvalidQuery("grouping.limit says how many series to keep: set it from 1 to 1000");
  }
}

const REDUCERS: Record<
  Exclude<Operation, Operation.UNSPECIFIED | Operation.TOP>,
  (values: number[], quantile: number) => number
> = {
  [Operation.SUM]: sum,
  [Operation.AVERAGE]: average,
  [Operation.MINIMUM]: (values) => values.reduce((a, b) => Math.min(a, b)),
  [Operation.MAXIMUM]: (values) => values.reduce((a, b) => Math.max(a, b)),
  [Operation.COUNT]: (values) => values.length,
  [Operation.QUANTILE]: quantileOf,
};

/** Makes one value of what the series of a group have at one time; not for OPERATION_TOP. */
export function reduceSeries({ operation, quantile }: Grouping, values: number[]): number {
  return REDUCERS[operation as keyof typeof REDUCERS](values, quantile);
}

function sum(values: number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function average(values: number[]): number {
  const total = sum(values);
  if (Number.isFinite(total)) return total / values.length;
  return values.reduce((mean, value) => mean + value / values.length, 0);
}

/** Combines series that have the same values of some labels; groups are in order of these. */
export function combineSeries(
  series: readonly LabelledSeries[],
  grouping: Grouping,
): LabelledSeries[] {
  const names = grouping.labels.toSorted();
  const groups = Map.groupBy(series, ({ labels }) =>
    JSON.stringify(names.map((name) => labels[name] ?? "")),
  );
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, members]) => {
      if (grouping.operation === Operation.TOP) return highest(members, grouping.limit);
      const values = JSON.parse(key) as string[];
      const entries = names.map((name, at) => [name, values[at] ?? ""] as const);
      const labels = Object.fromEntries(entries.filter(([, value]) => value !== ""));
      return [{ labels, points: combine(members, grouping) }];
    });
}

function combine(members: readonly LabelledSeries[], grouping: Grouping): Columns {
  const steps = new Map<number, number[]>();
  for (const { points } of members) {
    for (let at = 0; at < points.count; at += 1) {
      const values = steps.get(points.timeAt(at));
      if (values) values.push(points.valueAt(at));
      else steps.set(points.timeAt(at), [points.valueAt(at)]);
    }
  }
  const combined = makeColumns();
  for (const [ms, values] of [...steps].sort(([a], [b]) => a - b)) {
    combined.add(ms, reduceSeries(grouping, values));
  }
  return combined;
}

/** The series that are highest on average. */
function highest(members: readonly LabelledSeries[], limit: number): LabelledSeries[] {
  const ranked = members.map((one) => {
    let total = 0;
    for (let at = 0; at < one.points.count; at += 1) total += one.points.valueAt(at);
    return { one, mean: total / one.points.count };
  });
  // Of equals the older one comes first, as everywhere.
  ranked.sort((a, b) => b.mean - a.mean);
  return ranked.slice(0, limit).map(({ one }) => one);
}
