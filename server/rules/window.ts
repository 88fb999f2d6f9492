import { makeColumns } from "../query/columns.ts";
import { foldSteps } from "../query/steps.ts";
import type { CompiledRule } from "./compile.ts";
import type { RecentPoints } from "./points.ts";

/** What a window at one time holds, and until when a later one holds the same if no point comes. */
export interface Measured {
  /** Undefined when there are too few points. */
  value: number | undefined;
  untilMs: number;
}

/** Makes one value of the points in the window that ends with `atMs`, which belongs to it. */
export function measure(rule: CompiledRule, points: RecentPoints, atMs: number): Measured {
  const { windowMs, keepMs } = rule;
  const { times, values } = points.between(atMs - keepMs, atMs);
  const firstAt = times.findIndex((ms) => ms > atMs - windowMs);
  const untilMs = Math.min(
    points.nextAfter(atMs) - 1,
    (times[0] ?? Number.POSITIVE_INFINITY) + keepMs - 1,
    firstAt < 0 ? Number.POSITIVE_INFINITY : (times[firstAt] as number) + windowMs - 1,
  );
  if (firstAt < 0) return { value: undefined, untilMs };
  const value =
    rule.measure.kind === "slope"
      ? slope(times, values)
      : combine(rule, rule.measure, times, values, atMs);
  return { value, untilMs };
}

/** As a query combines the points of a step, which here is the window. */
function combine(
  { windowMs }: CompiledRule,
  { aggregation, quantile }: Extract<CompiledRule["measure"], { kind: "aggregation" }>,
  times: readonly number[],
  values: readonly number[],
  atMs: number,
): number | undefined {
  const startMs = atMs - windowMs + 1;
  const into = makeColumns();
  const fold = foldSteps(
    { ms: windowMs, aggregation, quantile },
    { startMs: 0, endMs: windowMs },
    into,
  );
  for (let at = 0; at < times.length; at += 1) {
    fold.point((times[at] as number) - startMs, values[at] as number);
  }
  fold.end();
  return into.count === 0 ? undefined : into.valueAt(0);
}

function slope(times: readonly number[], values: readonly number[]): number | undefined {
  const first = times[0];
  const last = times.at(-1);
  if (first === undefined || last === undefined || first === last) return undefined;
  return (((values.at(-1) as number) - (values[0] as number)) / (last - first)) * 1000;
}
