import { InvalidArgumentError } from "commander";
import {
  QueryRangeRequest_Aggregation as Aggregation,
  Grouping_Operation as Grouping,
} from "../../gen/lumetry/v1/metric_query_service_pb.js";

/** How points are combined in steps, or series in groups: an operation and what goes with it. */
export interface Combination<Operation> {
  operation: Operation;
  /** From 0 to 1, for quantiles. */
  quantile: number;
  /** How many series to keep, for top. */
  limit: number;
  /** As people write it. */
  word: string;
}

/** Words that mean something to more people than the contract's. */
const SHORT: Record<string, string> = {
  avg: "average",
  mean: "average",
  min: "minimum",
  max: "maximum",
  median: "p50",
};

function read<Operation extends number>(
  text: string,
  operations: Record<string, string | number>,
  all: string[],
): Combination<Operation> {
  const lower = text.toLowerCase().trim();
  const word = SHORT[lower] ?? lower;
  const none = { quantile: 0, limit: 0, word };
  const percent = /^p(\d{1,2}(?:\.\d+)?|100)$/.exec(word)?.[1];
  if (percent !== undefined) {
    const operation = operations.QUANTILE as Operation;
    return { ...none, operation, quantile: Number(percent) / 100 };
  }
  const top = /^top:?(\d{1,4})$/.exec(word)?.[1];
  if (top !== undefined && operations.TOP !== undefined && Number(top) > 0) {
    return { ...none, operation: operations.TOP as Operation, limit: Number(top) };
  }
  const operation = operations[word.toUpperCase()];
  const needsMore = word === "quantile" || word === "top" || word === "unspecified";
  if (typeof operation !== "number" || needsMore) {
    throw new InvalidArgumentError(`Choose from ${all.join(", ")}.`);
  }
  return { ...none, operation: operation as Operation };
}

export const AGGREGATIONS = [
  ...["avg", "min", "max", "sum", "count", "last", "rate", "increase"],
  "p95 (any percentile)",
];
export const GROUPINGS = [
  ...["avg", "min", "max", "sum", "count"],
  "p95 (any percentile)",
  "top5 (any number)",
];

/** Reads how points are combined in a step, for commander. */
export const readAggregation = (text: string) => read<Aggregation>(text, Aggregation, AGGREGATIONS);

/** Reads how series are combined in a group, for commander. */
export const readGrouping = (text: string) => read<Grouping>(text, Grouping, GROUPINGS);

/** Reads names of labels with commas between them, and adds them to those before, for commander. */
export function readNames(text: string, before: string[] = []): string[] {
  const names = text
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);
  if (names.length === 0)
    throw new InvalidArgumentError("Write names of labels, such as host,site.");
  return [...before, ...names];
}
