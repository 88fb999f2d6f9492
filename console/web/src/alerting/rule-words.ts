import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import {
  QueryRangeRequest_Aggregation as Aggregation,
  QueryRangeRequest_AggregationSchema as AggregationSchema,
  Grouping_OperationSchema as GroupingSchema,
} from "../../../../gen/lumetry/v1/metric_query_service_pb.js";
import {
  RuleSettings_Direction as Direction,
  type RuleSettings,
} from "../../../../gen/lumetry/v1/rule_pb.js";
import { spanText } from "../words/ages.ts";
import { enumWord } from "../words/counts.ts";
import { matcherText } from "../words/labels.ts";

const MINUTE_MS = 60_000;

export const windowMsOf = ({ window }: RuleSettings) => (window ? durationMs(window) : MINUTE_MS);

const span = (duration: Duration | undefined) => (duration ? spanText(durationMs(duration)) : "");

/** "average of system.cpu.utilization over 5 minutes". */
function measureText(settings: RuleSettings): string {
  const { metric, aggregation, quantile, grouping, matchers } = settings;
  const word =
    aggregation === Aggregation.QUANTILE
      ? `${quantile * 100}th percentile`
      : enumWord(AggregationSchema, aggregation) || "average";
  const where = matchers.length > 0 ? ` where ${matchers.map(matcherText).join(", ")}` : "";
  const own = `${word} of ${metric}${where} over ${spanText(windowMsOf(settings))}`;
  if (!grouping) return own;
  const by = grouping.labels.length > 0 ? ` by ${grouping.labels.join(", ")}` : "";
  return `${enumWord(GroupingSchema, grouping.operation)}${by} of the ${own}`;
}

const sideText = (direction: Direction) => (direction === Direction.BELOW ? "below" : "above");

/** When it is wrong, in a sentence without its end. */
export function conditionText(settings: RuleSettings): string {
  const { condition, metric, matchers } = settings;
  const held = span(settings.for);
  const long = held === "" || held === "0 seconds" ? "" : ` for ${held}`;
  switch (condition.case) {
    case "threshold": {
      const { direction, value, recoveryValue } = condition.value;
      const back = recoveryValue === undefined ? "" : `, until it is back at ${recoveryValue}`;
      return `${measureText(settings)} is ${sideText(direction)} ${value}${long}${back}`;
    }
    case "absence": {
      const where = matchers.length > 0 ? ` where ${matchers.map(matcherText).join(", ")}` : "";
      return `nothing of ${metric}${where} for ${span(condition.value.duration)}`;
    }
    case "rateOfChange": {
      const { direction, perSecond } = condition.value;
      return `${metric} changes by ${direction === Direction.BELOW ? "less" : "more"} than ${perSecond} a second within ${spanText(windowMsOf(settings))}${long}`;
    }
    default:
      return "of a later version";
  }
}
