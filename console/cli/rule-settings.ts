import { readFileSync } from "node:fs";
import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Command, InvalidArgumentError } from "commander";
import {
  type QueryRangeRequest_Aggregation as Aggregation,
  Grouping_Operation as Grouping,
} from "../../gen/lumetry/v1/metric_query_service_pb.js";
import {
  RuleSettings_Direction as Direction,
  type RuleSettings,
  RuleSettingsSchema,
} from "../../gen/lumetry/v1/rule_pb.js";
import { Severity, SeveritySchema } from "../../gen/lumetry/v1/severity_pb.js";
import {
  AGGREGATIONS,
  type Combination,
  GROUPINGS,
  readAggregation,
  readGrouping,
  readNames,
} from "./aggregations.ts";
import { usageError } from "./errors.ts";
import { CONDITIONS, type Matcher, readLabel, readMatcher } from "./labels.ts";
import { enumWords, readEnum, readSpan } from "./words.ts";

/** A rule, as options on the command line say it. */
export interface RuleOptions {
  label?: Matcher[];
  above?: number;
  below?: number;
  absent?: number;
  change?: boolean;
  recovery?: number;
  window?: number;
  agg?: Combination<Aggregation>;
  by?: string[];
  group?: Combination<Grouping>;
  for?: number;
  severity?: Severity;
  message?: string;
  runbook?: string;
  set?: Record<string, string>;
  file?: string;
}

function readNumber(text: string): number {
  const number = Number(text);
  if (text.trim() === "" || !Number.isFinite(number)) {
    throw new InvalidArgumentError("Write a number.");
  }
  return number;
}

/** The options that say what is judged, and when it is wrong. */
export const withRule = (command: Command): Command =>
  command
    .option("-l, --label <condition>", `only series with ${CONDITIONS}`, readMatcher)
    .option("--above <number>", "it is wrong above this", readNumber)
    .option("--below <number>", "it is wrong below this", readNumber)
    .option("--change", "judge by how much the value changes a second")
    .option(
      "--recovery <number>",
      "a firing alert ends only when the value is back here",
      readNumber,
    )
    .option("--absent <span>", "it is wrong when nothing has come for so long, from 30s", readSpan)
    .option("--window <span>", "the points of so long make one value; 1m when not given", readSpan)
    .option("--agg <word>", `how they make it: ${AGGREGATIONS.join(", ")}`, readAggregation)
    .option("--by <labels>", "judge together what has the same of these labels", readNames)
    .option("--group <word>", `how those are combined: ${GROUPINGS.join(", ")}`, readGrouping)
    .option("--for <span>", "so long it has to be wrong before an alert fires", readSpan)
    .option(
      "--severity <word>",
      `${enumWords(SeveritySchema).join(", ")}; warning when not given`,
      readEnum<Severity>(SeveritySchema),
    )
    .option("--message <text>", 'such as "{{ $labels.host }} is at {{ $value }}"')
    .option("--runbook <url>", "where it says what to do")
    .option("--set <label=value>", "set on its alerts; repeat for more", readLabel)
    .option("--file <file>", "take all of it from a JSON file; - for standard input");

/** What the options say; the name and metric are given with them. */
export function ruleOf(displayName: string, metric: string, options: RuleOptions): RuleSettings {
  const { label = [], window, agg, severity = Severity.WARNING } = options;
  const { message = "", runbook = "", set = {} } = options;
  const span = options.for;
  return create(RuleSettingsSchema, {
    displayName,
    metric,
    matchers: label,
    ...(window !== undefined && { window: durationFromMs(window) }),
    ...(agg && { aggregation: agg.operation, quantile: agg.quantile }),
    ...groupingOf(options),
    condition: conditionOf(options),
    ...(span !== undefined && { for: durationFromMs(span) }),
    severity,
    message,
    runbookUrl: runbook,
    labels: set,
  });
}

function groupingOf({ by, group }: RuleOptions) {
  if (by === undefined && group === undefined) return {};
  const { operation, quantile } = group ?? { operation: Grouping.AVERAGE, quantile: 0 };
  return { grouping: { operation, quantile, labels: [...new Set(by)] } };
}

function conditionOf({ above, below, absent, change, recovery }: RuleOptions) {
  const given = [above, below, absent].filter((one) => one !== undefined);
  if (given.length !== 1) {
    throw usageError(
      given.length === 0 ? "It is not said what is wrong." : "Only one thing can be wrong.",
      "Use one of --above, --below and --absent.",
    );
  }
  if (absent !== undefined) {
    return { case: "absence" as const, value: { duration: durationFromMs(absent) } };
  }
  const direction = above === undefined ? Direction.BELOW : Direction.ABOVE;
  const bound = above ?? below ?? 0;
  return change
    ? {
        case: "rateOfChange" as const,
        value: {
          direction,
          perSecond: bound,
          ...(recovery !== undefined && { recoveryPerSecond: recovery }),
        },
      }
    : {
        case: "threshold" as const,
        value: {
          direction,
          value: bound,
          ...(recovery !== undefined && { recoveryValue: recovery }),
        },
      };
}

const SUCH_AS =
  '{"displayName": "disk full", "metric": "system.filesystem.utilization", "severity": "SEVERITY_CRITICAL", "threshold": {"direction": "DIRECTION_ABOVE", "value": 0.9}}';

/** The rules in a JSON file: one, a list of them, or {"rules": […]} as "rules list --json" prints it. */
export function readRules(file: string): RuleSettings[] {
  const name = file === "-" ? "standard input" : file;
  let text: string;
  try {
    text = readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw usageError(`${name} cannot be read: ${(error as Error).message}`);
  }
  return listOf(parse(name, text)).map((entry, at) => {
    try {
      return fromJson(RuleSettingsSchema, settingsIn(entry));
    } catch (error) {
      const words = (error as Error).message.replace(/^cannot decode \S+ \S+ from JSON: /, "");
      throw usageError(
        `${name}: rule ${at + 1} does not say what it should: ${words}`,
        `A rule is JSON such as ${SUCH_AS}`,
      );
    }
  });
}

/** The one rule in a JSON file. */
export function readRule(file: string): RuleSettings {
  const [rule, ...others] = readRules(file);
  if (rule && others.length === 0) return rule;
  throw usageError(`${file} holds ${others.length + (rule ? 1 : 0)} rules, not one.`);
}

function parse(name: string, text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    throw usageError(`${name} is not JSON: ${(error as Error).message}`);
  }
}

const isObject = (value: JsonValue | undefined): value is { [key: string]: JsonValue } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function listOf(parsed: JsonValue): JsonValue[] {
  if (Array.isArray(parsed)) return parsed;
  if (isObject(parsed) && Array.isArray(parsed.rules)) return parsed.rules;
  return [parsed];
}

/** Of a rule as it is listed, what it is told to be. */
const settingsIn = (entry: JsonValue): JsonValue =>
  isObject(entry) && isObject(entry.settings) ? entry.settings : entry;
