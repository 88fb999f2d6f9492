import type { Grouping } from "../../gen/lumetry/v1/metric_query_service_pb.js";
import { indexKey } from "../../lib/index-key.ts";
import { reduceSeries } from "../query/across.ts";

type Labels = Readonly<Record<string, string>>;

/** The labels that all series of a group have: all of them where each series is a group. */
export function labelsOfGroup(grouping: Grouping | undefined, labels: Labels): Labels {
  if (!grouping) return labels;
  const names = grouping.labels.filter((name) => (labels[name] ?? "") !== "");
  return Object.fromEntries(names.map((name) => [name, labels[name] ?? ""]));
}

/** The one text for a set of labels; what is too long for an index is told by its hash. */
export function textOfLabels(labels: Labels): string {
  const entries = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return indexKey(JSON.stringify(Object.fromEntries(entries)));
}

/** One value of a group's series; undefined when none of them has any. */
export function reduceGroup(grouping: Grouping | undefined, values: number[]): number | undefined {
  if (values.length === 0) return undefined;
  return grouping ? reduceSeries(grouping, values) : values[0];
}
