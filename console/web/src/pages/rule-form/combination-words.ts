import {
  QueryRangeRequest_Aggregation as Aggregation,
  type Grouping,
  Grouping_Operation as GroupingOperation,
} from "../../../../../gen/lumetry/v1/metric_query_service_pb.js";
import {
  aggregationWords,
  groupingWords,
  readAggregation,
  readGrouping,
} from "../../words/combinations.ts";

const percent = (quantile: number) => `p${Number((quantile * 100).toFixed(3))}`;

/** The word for how points are combined; "" when it is not said. */
export function aggregationWord(operation: Aggregation, quantile: number): string {
  if (operation === Aggregation.QUANTILE) return percent(quantile);
  return aggregationWords("").find((word) => readAggregation(word)?.operation === operation) ?? "";
}

/** The word for how series are combined. */
export function groupingWord({ operation, quantile }: Grouping): string {
  if (operation === GroupingOperation.QUANTILE) return percent(quantile);
  return groupingWords("").find((word) => readGrouping(word)?.operation === operation) ?? "";
}
