import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  QueryRangeRequest_Aggregation as Aggregation,
  QueryRangeRequest_AggregationSchema as AggregationSchema,
  Grouping_OperationSchema as GroupingSchema,
  type LabelMatcher,
  LabelMatcher_Operation as Operation,
} from "../../gen/lumetry/v1/metric_query_service_pb.js";
import {
  RuleSettings_DaySchema as DaySchema,
  RuleSettings_Direction as Direction,
  type Rule,
  type RuleSettings,
} from "../../gen/lumetry/v1/rule_pb.js";
import type { PreviewRuleResponse } from "../../gen/lumetry/v1/rule_service_pb.js";
import { Severity, SeveritySchema } from "../../gen/lumetry/v1/severity_pb.js";
import { spanText } from "../../lib/age.ts";
import { drawChart, MOST_SERIES } from "./chart.ts";
import type { Cli } from "./cli.ts";
import { labelsText, splitLabels } from "./labels.ts";
import { facts, table } from "./table.ts";
import { plain, type Style } from "./terminal.ts";
import { clockText, counted, countText, enumWord, momentText } from "./words.ts";

export const SEVERITY_STYLES: Partial<Record<Severity, Style>> = {
  [Severity.CRITICAL]: "red",
  [Severity.WARNING]: "yellow",
};

export const severityWord = (severity: Severity) => enumWord(SeveritySchema, severity);

const side = (direction: Direction) => (direction === Direction.BELOW ? "below" : "above");

/** "avg over 1m above 0.9 for 5m". */
export function conditionText(settings: RuleSettings): string {
  const { condition, window, aggregation, quantile } = settings;
  const over = `over ${spanText(window ? durationMs(window) : 60_000)}`;
  const lasting = settings.for ? ` for ${spanText(durationMs(settings.for))}` : "";
  const back = (value: number | undefined) => (value === undefined ? "" : `, until ${value}`);
  switch (condition.case) {
    case "absence": {
      const { duration } = condition.value;
      return `nothing for ${spanText(duration ? durationMs(duration) : 0)}`;
    }
    case "rateOfChange": {
      const { direction, perSecond, recoveryPerSecond } = condition.value;
      return `change a second ${over} ${side(direction)} ${perSecond}${back(recoveryPerSecond)}${lasting}`;
    }
    case "threshold": {
      const word =
        aggregation === Aggregation.QUANTILE
          ? `p${quantile * 100}`
          : enumWord(AggregationSchema, aggregation || Aggregation.AVERAGE);
      const { direction, value, recoveryValue } = condition.value;
      return `${word} ${over} ${side(direction)} ${value}${back(recoveryValue)}${lasting}`;
    }
    default:
      return "";
  }
}

export function ruleTable(cli: Cli, rules: Rule[]): string {
  if (rules.length === 0) {
    return 'There are no rules yet. Add one with "lumetry rules create".';
  }
  return table(
    rules,
    [
      { title: "NAME", value: ({ settings }) => settings?.displayName ?? "", least: 12 },
      { title: "ID", value: ({ ruleId }) => ruleId, rank: 3 },
      {
        title: "SEVERITY",
        value: ({ settings }) => severityWord(settings?.severity ?? 0),
        style: ({ settings }) => SEVERITY_STYLES[settings?.severity ?? 0],
      },
      { title: "METRIC", value: ({ settings }) => settings?.metric ?? "", least: 12, rank: 1 },
      {
        title: "WRONG WHEN",
        value: ({ settings }) => (settings ? conditionText(settings) : ""),
        least: 16,
        rank: 2,
      },
      {
        title: "FIRING",
        value: ({ settings, firingAlerts }) =>
          settings?.disabled ? "disabled" : countText(firingAlerts),
        align: "right",
        style: ({ firingAlerts }) => (firingAlerts > 0n ? "red" : undefined),
      },
      { title: "PENDING", value: ({ pendingAlerts }) => countText(pendingAlerts), align: "right" },
    ],
    cli.terminal,
  );
}

export function ruleFacts(cli: Cli, { settings, ...rule }: Rule): string {
  if (!settings) return "";
  const { grouping } = settings;
  return facts(
    [
      ["name", plain(settings.displayName)],
      ["id", rule.ruleId],
      ["metric", plain(settings.metric)],
      ["only series with", plain(settings.matchers.map(matcherText).join(", "))],
      [
        "judged together",
        grouping &&
          plain(
            `${enumWord(GroupingSchema, grouping.operation)} by ${grouping.labels.join(", ") || "nothing: all as one"}`,
          ),
      ],
      ["wrong when", conditionText(settings)],
      ["severity", severityWord(settings.severity)],
      ["message", plain(settings.message)],
      ["runbook", plain(settings.runbookUrl)],
      ["labels set", plain(labelsText(settings.labels))],
      ["muted", plain(settings.mutingWindows.map(mutedText).join("; "))],
      ["enabled", settings.disabled ? "no" : "yes"],
      ["not evaluated", plain(rule.notEvaluated)],
      ["firing", countText(rule.firingAlerts)],
      ["pending", countText(rule.pendingAlerts)],
      ["revision", countText(rule.revision)],
      ["changed", momentText(rule.updateTime, cli.now())],
    ],
    cli.terminal,
  );
}

const SIGNS: Partial<Record<Operation, string>> = {
  [Operation.EQUAL]: "=",
  [Operation.NOT_EQUAL]: "!=",
  [Operation.MATCHES]: "=~",
  [Operation.NOT_MATCHES]: "!~",
};

function matcherText({ label, operation, value, values }: LabelMatcher): string {
  const sign = SIGNS[operation];
  if (sign !== undefined) return `${label}${sign}${value}`;
  return `${label} ${operation === Operation.NOT_IN ? "not in" : "in"} (${values.join(", ")})`;
}

function mutedText({ days, start, end, timeZone }: RuleSettings["mutingWindows"][number]): string {
  const on =
    days.length === 0 ? "every day" : days.map((day) => enumWord(DaySchema, day)).join(", ");
  return `${on} ${start} to ${end} ${timeZone || "UTC"}`;
}

/** "Would have fired 3 times", when, and the chart. */
export function previewText(
  cli: Cli,
  settings: RuleSettings,
  response: PreviewRuleResponse,
  span: { from: number; to: number },
): string {
  const { seriesCount, groupCount, firingCount, episodes, values } = response;
  if (seriesCount === 0n) {
    return `No series of ${plain(settings.metric)} that the rule wants has points in that time.`;
  }
  const times =
    firingCount === 0n
      ? "would not have fired"
      : `would have fired ${firingCount === 1n ? "once" : counted(firingCount, "time")}`;
  const what = `${counted(seriesCount, "series").replace(/seriess$/, "series")}${
    groupCount === seriesCount ? "" : ` in ${counted(groupCount, "group")}`
  }`;
  const head = `It ${times} from ${clockText(span.from)} to ${clockText(span.to)}, on ${what}.`;
  const list =
    episodes.length === 0
      ? []
      : [
          table(
            episodes,
            [
              {
                title: "FIRED",
                value: ({ fireTime }) => (fireTime ? clockText(timestampMs(fireTime)) : ""),
              },
              {
                title: "FOR",
                value: ({ fireTime, resolveTime }) =>
                  fireTime && resolveTime
                    ? spanText(timestampMs(resolveTime) - timestampMs(fireTime))
                    : "still firing",
              },
              { title: "ALERT", value: ({ summary }) => summary, least: 20 },
            ],
            cli.terminal,
          ),
        ];
  return [head, ...list, ...chartOf(cli, settings, values, span)].join("\n\n");
}

function chartOf(
  cli: Cli,
  settings: RuleSettings,
  values: PreviewRuleResponse["values"],
  span: { from: number; to: number },
): string[] {
  if (values.length === 0) return [];
  const shown = values.slice(0, MOST_SERIES);
  const { common, names } = splitLabels(shown.map(({ labels }) => labels));
  const chart = {
    metric: settings.metric,
    unit: "",
    notes: [conditionText(settings), plain(labelsText(common))].filter((note) => note !== ""),
    ...span,
    now: cli.now(),
    step: undefined,
    series: shown.map(({ points }, at) => ({
      name: plain(names[at] || settings.metric),
      points: points.map(({ time, value }) => ({ time: time ? timestampMs(time) : 0, value })),
    })),
  };
  return [drawChart(chart, { terminal: cli.terminal })];
}
