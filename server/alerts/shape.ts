import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Alert_TransitionSchema,
  type AlertSchema,
  Alert_State as State,
} from "../../gen/lumetry/v1/alert_pb.js";
import { Severity as SeverityEnum } from "../../gen/lumetry/v1/severity_pb.js";
import type { ShownAlert, TransitionRow } from "./store.ts";
import type { AlertState, Severity } from "./table.ts";

const STATES: Record<AlertState, State> = {
  pending: State.PENDING,
  firing: State.FIRING,
  resolved: State.RESOLVED,
};

const SEVERITIES: Record<Severity, SeverityEnum> = {
  info: SeverityEnum.INFO,
  warning: SeverityEnum.WARNING,
  critical: SeverityEnum.CRITICAL,
};

export const statesOf = (states: readonly State[]): AlertState[] =>
  (["pending", "firing", "resolved"] as const).filter((state) => states.includes(STATES[state]));

export const severitiesOf = (severities: readonly SeverityEnum[]): Severity[] =>
  (["info", "warning", "critical"] as const).filter((one) => severities.includes(SEVERITIES[one]));

/** What a row says, in the contract's terms. */
export function toAlert(row: ShownAlert): MessageInitShape<typeof AlertSchema> {
  return {
    alertId: row.alert_id,
    source:
      row.rule_id === null
        ? { case: "systemKind", value: row.system_kind ?? "" }
        : { case: "ruleId", value: row.rule_id },
    ruleName: row.rule_name ?? "",
    labels: row.labels,
    edgeId: row.subject_edge_id ?? "",
    severity: SEVERITIES[row.severity],
    state: STATES[row.state],
    summary: row.summary,
    runbookUrl: row.runbook_url,
    ...(row.value !== null && { value: row.value }),
    startTime: timestampFromDate(row.started_at),
    ...(row.fired_at && { fireTime: timestampFromDate(row.fired_at) }),
    ...(row.resolved_at && { resolveTime: timestampFromDate(row.resolved_at) }),
    resolveReason: row.resolve_reason,
    suppressedBy: row.suppressed_by ?? "",
    updateTime: timestampFromDate(row.updated_at),
  };
}

export const evidenceOf = ({ evidence }: ShownAlert) => ({ evidence: evidence as JsonObject });

export function toTransition(row: TransitionRow): MessageInitShape<typeof Alert_TransitionSchema> {
  return {
    from: row.from_state === "none" ? State.UNSPECIFIED : STATES[row.from_state],
    to: STATES[row.to_state],
    time: timestampFromDate(row.data_time),
    recordTime: timestampFromDate(row.recorded_at),
    ...(row.value !== null && { value: row.value }),
    reason: row.reason,
  };
}
