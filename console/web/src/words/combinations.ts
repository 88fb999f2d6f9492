import {
  QueryRangeRequest_Aggregation as Aggregation,
  Grouping_Operation as Grouping,
} from "../../../../gen/lumetry/v1/metric_query_service_pb.js";

/** How points are combined in steps, or series in groups: an operation and what goes with it. */
export interface Combination<Operation> {
  operation: Operation;
  /** From 0 to 1, for quantiles. */
  quantile: number;
  /** How many series to keep, for top. */
  limit: number;
}

const AGGREGATIONS: Record<string, [Aggregation, string]> = {
  avg: [Aggregation.AVERAGE, "average"],
  min: [Aggregation.MINIMUM, "minimum"],
  max: [Aggregation.MAXIMUM, "maximum"],
  sum: [Aggregation.SUM, "sum"],
  count: [Aggregation.COUNT, "count"],
  last: [Aggregation.LAST, "last"],
  rate: [Aggregation.RATE, "rate a second"],
  increase: [Aggregation.INCREASE, "increase"],
};
const GROUPINGS: Record<string, [Grouping, string]> = {
  sum: [Grouping.SUM, "sum"],
  avg: [Grouping.AVERAGE, "average"],
  min: [Grouping.MINIMUM, "minimum"],
  max: [Grouping.MAXIMUM, "maximum"],
  count: [Grouping.COUNT, "count"],
};
const PERCENTILES = ["p50", "p90", "p95", "p99"];

const percentOf = (word: string): number | undefined => {
  const percent = /^p(\d{1,2}(?:\.\d{1,3})?|100)$/.exec(word)?.[1];
  return percent === undefined ? undefined : Number(percent);
};

function read<Operation>(
  word: string,
  operations: Record<string, [Operation, string]>,
  quantileOf: Operation,
): Combination<Operation> | undefined {
  const percent = percentOf(word);
  if (percent !== undefined) return { operation: quantileOf, quantile: percent / 100, limit: 0 };
  const found = Object.hasOwn(operations, word) ? operations[word] : undefined;
  return found && { operation: found[0], quantile: 0, limit: 0 };
}

/** Reads "avg", "rate", "p95"; undefined for what is none. */
export const readAggregation = (word: string) =>
  read<Aggregation>(word, AGGREGATIONS, Aggregation.QUANTILE);

/** Reads "sum", "p95", "top5"; undefined for what is none. */
export function readGrouping(word: string): Combination<Grouping> | undefined {
  const top = /^top(\d{1,4})$/.exec(word)?.[1];
  const limit = Number(top);
  if (top !== undefined && limit > 0 && limit <= 1_000) {
    return { operation: Grouping.TOP, quantile: 0, limit };
  }
  return read<Grouping>(word, GROUPINGS, Grouping.QUANTILE);
}

/** A word as people read it: "95th percentile", "the 5 highest", "rate a second". */
export function combinationText(word: string): string {
  const percent = percentOf(word);
  if (percent !== undefined) return percent === 50 ? "median" : `${percent}th percentile`;
  const top = /^top(\d+)$/.exec(word)?.[1];
  if (top !== undefined) return `the ${top} highest`;
  return AGGREGATIONS[word]?.[1] ?? GROUPINGS[word]?.[1] ?? word;
}

const withOwn = (words: string[], own: string) =>
  own === "" || words.includes(own) ? words : [...words, own];

/** All words to choose from, with the one that is chosen. */
export const aggregationWords = (own: string) =>
  withOwn([...Object.keys(AGGREGATIONS), ...PERCENTILES], own);
export const groupingWords = (own: string) =>
  withOwn([...Object.keys(GROUPINGS), ...PERCENTILES, "top5", "top10"], own);
