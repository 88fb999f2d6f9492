import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  QueryRangeRequest_Aggregation as Aggregation,
  type Grouping,
  Grouping_Operation as GroupingOperation,
  type LabelMatcher,
  LabelMatcher_Operation as Operation,
} from "../../gen/lumetry/v1/metric_query_service_pb.js";
import {
  RuleSettings_Direction as Direction,
  type RuleSettings,
} from "../../gen/lumetry/v1/rule_pb.js";
import { type Matches, standingPattern } from "../catalog/standing-patterns.ts";
import { InvalidQuery, isStorable, TooMuch } from "../query/rules.ts";
import { bridgeOf, isGrowth } from "../query/steps.ts";
import type { Condition } from "./condition.ts";
import { InvalidRule } from "./invalid.ts";
import { type Message, readMessage } from "./message.ts";
import { readMuting } from "./muting.ts";
import { sentenceOf } from "./sentence.ts";

type Labels = Readonly<Record<string, string>>;

/** How the points of a window become one value. */
export type Measure =
  | { kind: "aggregation"; aggregation: Aggregation; quantile: number }
  /** By how much it changes a second, from the first point to the last. */
  | { kind: "slope" };

/** A rule as it is evaluated. */
export interface CompiledRule {
  ruleId: string;
  settings: RuleSettings;
  /** When it was made as it is: whoever was silent before is not missed. */
  sinceMs: number;
  windowMs: number;
  /** So long before a time, points matter for what is judged then. */
  keepMs: number;
  measure: Measure;
  grouping: Grouping | undefined;
  condition: Condition;
  message: Message;
  isMuted(ms: number): boolean;
  /** It tries regular expressions, which takes its time. */
  hasPatterns: boolean;
  selects(labels: Labels): boolean;
}

const WINDOW_MS = 60_000;
const PATTERNS = [Operation.MATCHES, Operation.NOT_MATCHES];

/** Reads settings that the contract's own rules have passed; throws InvalidRule for what makes no sense. */
export function compileRule(
  ruleId: string,
  settings: RuleSettings,
  sinceMs = Number.NEGATIVE_INFINITY,
): CompiledRule {
  const windowMs = settings.window ? durationMs(settings.window) : WINDOW_MS;
  if (!Number.isInteger(windowMs)) {
    throw new InvalidRule("window must be a whole number of milliseconds");
  }
  const condition = readCondition(settings);
  const measure = readMeasure(settings);
  const matchers = settings.matchers.map(readMatcher);
  const { grouping } = settings;
  if (grouping?.operation === GroupingOperation.TOP) {
    throw new InvalidRule(
      "grouping.operation: TOP makes no value of a group; leave the grouping out to judge each series",
    );
  }
  return {
    ruleId,
    settings,
    sinceMs,
    windowMs,
    keepMs: windowMs + leadOf(measure, windowMs),
    measure,
    grouping,
    condition,
    message: settings.message === "" ? sentenceOf(settings) : readMessage(settings.message),
    isMuted: readMuting(settings.mutingWindows),
    hasPatterns: settings.matchers.some(({ operation }) => PATTERNS.includes(operation)),
    selects: (labels) => matchers.every((accepts) => accepts(labels)),
  };
}

/** What a counter stood at before the window tells how it grew in it. */
function leadOf(measure: Measure, windowMs: number): number {
  if (measure.kind === "slope") return 0;
  const step = { ms: windowMs, aggregation: measure.aggregation, quantile: 0 };
  return isGrowth(step) ? bridgeOf(step) : 0;
}

function readMeasure({ condition, aggregation, quantile }: RuleSettings): Measure {
  if (condition.case === "threshold") {
    return { kind: "aggregation", aggregation: aggregation || Aggregation.AVERAGE, quantile };
  }
  if (aggregation !== Aggregation.UNSPECIFIED) {
    throw new InvalidRule(
      "aggregation goes with a threshold only; leave it out for an absence or a rate of change",
    );
  }
  return condition.case === "rateOfChange"
    ? { kind: "slope" }
    : { kind: "aggregation", aggregation: Aggregation.COUNT, quantile: 0 };
}

function readCondition(settings: RuleSettings): Condition {
  const { condition } = settings;
  const forMs = settings.for ? durationMs(settings.for) : 0;
  switch (condition.case) {
    case "threshold": {
      const { direction, value, recoveryValue } = condition.value;
      return bound("recovery_value", direction, value, recoveryValue, forMs);
    }
    case "rateOfChange": {
      const { direction, perSecond, recoveryPerSecond } = condition.value;
      return bound("recovery_per_second", direction, perSecond, recoveryPerSecond, forMs);
    }
    case "absence": {
      if (forMs > 0) {
        throw new InvalidRule("for: an absence has its own duration; leave `for` out");
      }
      const { duration } = condition.value;
      return { kind: "absence", durationMs: duration ? durationMs(duration) : 0 };
    }
    default:
      throw new InvalidRule("a rule needs a condition: threshold, absence or rate_of_change");
  }
}

function bound(
  field: string,
  direction: Direction,
  value: number,
  recovery: number | undefined,
  forMs: number,
): Condition {
  const isAbove = direction === Direction.ABOVE;
  if (recovery !== undefined && (isAbove ? recovery > value : recovery < value)) {
    throw new InvalidRule(
      `${field} (${recovery}) lies beyond the bound (${value}): an alert would end while it is still wrong`,
    );
  }
  return { kind: "bound", isAbove, bound: value, recovery: recovery ?? value, forMs };
}

/** As the catalog's conditions have it: a missing label counts as empty. */
function readMatcher({
  label,
  operation,
  value,
  values,
}: LabelMatcher): (labels: Labels) => boolean {
  if (![label, value, ...values].every(isStorable)) {
    throw new InvalidRule("matchers: a name or value holds a NUL character");
  }
  const textOf = (labels: Labels) => labels[label] ?? "";
  switch (operation) {
    case Operation.EQUAL:
      return (labels) => textOf(labels) === value;
    case Operation.NOT_EQUAL:
      return (labels) => textOf(labels) !== value;
    case Operation.IN: {
      const wanted = new Set(values);
      return (labels) => wanted.has(textOf(labels));
    }
    case Operation.NOT_IN: {
      const unwanted = new Set(values);
      return (labels) => !unwanted.has(textOf(labels));
    }
    default: {
      const matches = patternOf(label, value);
      const isWanted = operation === Operation.MATCHES;
      return (labels) => matches(textOf(labels)) === isWanted;
    }
  }
}

function patternOf(label: string, value: string): Matches {
  try {
    return standingPattern(label, value);
  } catch (error) {
    if (error instanceof InvalidQuery || error instanceof TooMuch) {
      throw new InvalidRule(`matchers: ${error.message}`);
    }
    throw error;
  }
}
