import {
  type LabelMatcher,
  LabelMatcher_Operation as Operation,
} from "../../gen/lumetry/v1/metric_query_service_pb.js";
import type { AlertConditions } from "../../gen/lumetry/v1/silence_service_pb.js";
import { severityName } from "../alerts/severities.ts";
import { standingPattern } from "../catalog/standing-patterns.ts";
import { InvalidQuery, isStorable } from "../query/rules.ts";
import type { Subject } from "./subjects.ts";

/** What conditions look at of an alert. */
export type Meant = Pick<Subject, "labels" | "severity" | "ruleId" | "clusterId">;

export type Condition = (meant: Meant) => boolean;

/** Whether all that is given holds. Throws InvalidQuery for what cannot be tried. */
export function compileConditions(conditions: AlertConditions | undefined): Condition {
  if (!conditions) return () => true;
  const { matchers, ruleIds, clusterIds } = conditions;
  const severities = conditions.severities.map(severityName);
  const ofLabels = matchers.map(compileMatcher);
  return ({ labels, severity, ruleId, clusterId }) =>
    (severities.length === 0 || severities.includes(severity)) &&
    (ruleIds.length === 0 || ruleIds.includes(ruleId)) &&
    (clusterIds.length === 0 || clusterIds.includes(clusterId)) &&
    ofLabels.every((matches) => matches(labels));
}

export const saysNothing = (conditions: AlertConditions | undefined): boolean =>
  !conditions ||
  [conditions.matchers, conditions.severities, conditions.ruleIds, conditions.clusterIds].every(
    (list) => list.length === 0,
  );

/** A label that an alert does not have counts as empty. */
function compileMatcher(matcher: LabelMatcher): (labels: Record<string, string>) => boolean {
  const { label, operation, value, values } = matcher;
  if (![label, value, ...values].every(isStorable)) {
    throw new InvalidQuery("a name or value holds a NUL character");
  }
  const holds = compileOperation(operation, label, value, values);
  return (labels) => holds(Object.hasOwn(labels, label) ? (labels[label] ?? "") : "");
}

function compileOperation(
  operation: Operation,
  label: string,
  value: string,
  values: readonly string[],
): (text: string) => boolean {
  switch (operation) {
    case Operation.EQUAL:
      return (text) => text === value;
    case Operation.NOT_EQUAL:
      return (text) => text !== value;
    case Operation.IN:
      return (text) => values.includes(text);
    case Operation.NOT_IN:
      return (text) => !values.includes(text);
    default: {
      const matches = standingPattern(label, value);
      const wanted = operation === Operation.MATCHES;
      return (text) => matches(text) === wanted;
    }
  }
}
