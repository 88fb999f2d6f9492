import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type RuleSettings_Day as Day,
  RuleSettings_Direction as Direction,
  type RuleSettings,
  RuleSettingsSchema,
} from "../../../../../gen/lumetry/v1/rule_pb.js";
import { Severity } from "../../../../../gen/lumetry/v1/severity_pb.js";
import { readAggregation, readGrouping } from "../../words/combinations.ts";
import type { Matcher } from "../../words/labels.ts";
import { typedSeconds } from "../../words/spans.ts";
import { aggregationWord, groupingWord } from "./combination-words.ts";

export type Condition = "threshold" | "absence" | "rateOfChange";

/** What somebody types; numbers and spans as they are typed. */
export interface RuleDraft {
  displayName: string;
  metric: string;
  matchers: Matcher[];
  windowS: string;
  agg: string;
  group: string;
  by: string;
  condition: Condition;
  direction: Direction;
  bound: string;
  recovery: string;
  absenceS: string;
  forS: string;
  severity: Severity;
  runbookUrl: string;
  message: string;
  labels: Record<string, string>;
  muting: { days: Day[]; start: string; end: string; timeZone: string }[];
  disabled: boolean;
}

export const NEW_RULE: RuleDraft = {
  displayName: "",
  metric: "",
  matchers: [],
  windowS: "60",
  agg: "avg",
  group: "",
  by: "",
  condition: "threshold",
  direction: Direction.ABOVE,
  bound: "",
  recovery: "",
  absenceS: "300",
  forS: "0",
  severity: Severity.WARNING,
  runbookUrl: "",
  message: "",
  labels: {},
  muting: [],
  disabled: false,
};

const secondsOf = (duration: RuleSettings["window"], otherwise: string) =>
  duration ? String(durationMs(duration) / 1000) : otherwise;

export function draftOf(settings: RuleSettings): RuleDraft {
  const { condition } = settings;
  const bounds =
    condition.case === "threshold"
      ? [condition.value.value, condition.value.recoveryValue]
      : condition.case === "rateOfChange"
        ? [condition.value.perSecond, condition.value.recoveryPerSecond]
        : [];
  const [bound, recovery] = bounds;
  return {
    displayName: settings.displayName,
    metric: settings.metric,
    matchers: settings.matchers,
    windowS: secondsOf(settings.window, "60"),
    agg: aggregationWord(settings.aggregation, settings.quantile) || "avg",
    group: settings.grouping ? groupingWord(settings.grouping) : "",
    by: settings.grouping?.labels.join(", ") ?? "",
    condition: condition.case ?? "threshold",
    direction:
      condition.case === "threshold" || condition.case === "rateOfChange"
        ? condition.value.direction
        : Direction.ABOVE,
    bound: bound === undefined ? "" : String(bound),
    recovery: recovery === undefined ? "" : String(recovery),
    absenceS: condition.case === "absence" ? secondsOf(condition.value.duration, "300") : "300",
    forS: secondsOf(settings.for, "0"),
    severity: settings.severity,
    runbookUrl: settings.runbookUrl,
    message: settings.message,
    labels: settings.labels,
    muting: settings.mutingWindows.map(({ days, start, end, timeZone }) => ({
      days,
      start,
      end,
      timeZone,
    })),
    disabled: settings.disabled,
  };
}

/** In the terms of the contract; undefined while something that is needed is missing. */
export function settingsOf(draft: RuleDraft): RuleSettings | undefined {
  const { condition, direction, metric } = draft;
  const isAbsence = condition === "absence";
  if (metric.trim() === "" || (!isAbsence && draft.bound.trim() === "")) return undefined;
  const bound = Number(draft.bound);
  const recovery = draft.recovery.trim() === "" ? undefined : Number(draft.recovery);
  const aggregation = condition === "threshold" ? readAggregation(draft.agg) : undefined;
  const grouping = readGrouping(draft.group);
  const labels = draft.by.split(/[\s,]+/).filter(Boolean);
  return create(RuleSettingsSchema, {
    displayName: draft.displayName,
    metric: metric.trim(),
    matchers: draft.matchers,
    ...(!isAbsence && { window: typedSeconds(draft.windowS), for: typedSeconds(draft.forS) }),
    ...(aggregation && {
      aggregation: aggregation.operation,
      quantile: aggregation.quantile,
    }),
    ...(grouping && {
      grouping: { operation: grouping.operation, quantile: grouping.quantile, labels },
    }),
    condition: isAbsence
      ? { case: "absence", value: { duration: typedSeconds(draft.absenceS) } }
      : condition === "threshold"
        ? {
            case: "threshold",
            value: {
              direction,
              value: bound,
              ...(recovery !== undefined && { recoveryValue: recovery }),
            },
          }
        : {
            case: "rateOfChange",
            value: {
              direction,
              perSecond: bound,
              ...(recovery !== undefined && { recoveryPerSecond: recovery }),
            },
          },
    severity: draft.severity,
    runbookUrl: draft.runbookUrl.trim(),
    message: draft.message,
    labels: draft.labels,
    mutingWindows: draft.muting,
    disabled: draft.disabled,
  });
}
