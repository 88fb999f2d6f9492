import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import {
  type IncidentAlertSchema,
  type IncidentEventSchema,
  type IncidentSchema,
  IncidentEvent_Kind as Kind,
  Incident_State as State,
} from "../../gen/lumetry/v1/incident_pb.js";
import { SEVERITIES } from "../alerts/severities.ts";
import { toSubject } from "../notifications/subjects.ts";
import type { Silencer } from "../silences/store.ts";
import type { IncidentRow, MemberRow } from "./listing.ts";
import type { EventKind, IncidentState, IncidentTables } from "./table.ts";

const STATES: Record<IncidentState, State> = {
  open: State.OPEN,
  acknowledged: State.ACKNOWLEDGED,
  resolved: State.RESOLVED,
};

export const statesOf = (states: readonly State[]): IncidentState[] =>
  (Object.keys(STATES) as IncidentState[]).filter((name) => states.includes(STATES[name]));

const KINDS: Record<EventKind, Kind> = {
  opened: Kind.OPENED,
  alert_fired: Kind.ALERT_FIRED,
  alert_resolved: Kind.ALERT_RESOLVED,
  acknowledged: Kind.ACKNOWLEDGED,
  assigned: Kind.ASSIGNED,
  commented: Kind.COMMENTED,
  resolved: Kind.RESOLVED,
  reopened: Kind.REOPENED,
  notified: Kind.NOTIFIED,
  silenced: Kind.SILENCED,
};

/** What a row says, in the contract's terms. */
export function toIncident(
  row: IncidentRow,
  silenced: number,
): MessageInitShape<typeof IncidentSchema> {
  return {
    incidentId: row.incident_id,
    number: row.number,
    title: row.title,
    severity: SEVERITIES[row.severity],
    state: STATES[row.state],
    openTime: timestampFromDate(row.opened_at),
    ...(row.reopened_at && { reopenTime: timestampFromDate(row.reopened_at) }),
    reopenings: row.reopenings,
    ...(row.state === "acknowledged" &&
      row.acknowledged_at && {
        acknowledgeTime: timestampFromDate(row.acknowledged_at),
        acknowledgedBy: row.acknowledged_by ?? "",
        acknowledgedByName: row.acknowledged_by_name ?? "",
      }),
    assigneeId: row.assignee_id ?? "",
    assigneeName: row.assignee_name ?? "",
    ...(row.resolved_at && { resolveTime: timestampFromDate(row.resolved_at) }),
    resolvedBy: row.resolved_by ?? "",
    resolvedByName: row.resolved_by_name ?? "",
    alertCount: row.alerts,
    firingCount: row.firing,
    silencedCount: silenced,
  };
}

export function toAlert(
  row: MemberRow,
  incidentId: string,
  silencer: Silencer,
): MessageInitShape<typeof IncidentAlertSchema> {
  return {
    alertId: row.alert_id,
    alertName: row.alert_name,
    ruleId: row.rule_id ?? "",
    summary: row.summary,
    severity: SEVERITIES[row.severity],
    labels: row.labels,
    fireTime: timestampFromDate(row.fired_at),
    ...(row.resolved_at && { resolveTime: timestampFromDate(row.resolved_at) }),
    gatherTime: timestampFromDate(row.joined_at),
    gatherReason: row.reason,
    silenceId: row.fires ? (silencer(toSubject(row), incidentId)?.silenceId ?? "") : "",
    runbookUrl: row.runbook_url,
  };
}

export const toEvent = (
  row: Selectable<IncidentTables["incident_events"]>,
): MessageInitShape<typeof IncidentEventSchema> => ({
  eventId: row.event_id,
  time: timestampFromDate(row.happened_at),
  kind: KINDS[row.kind],
  actorId: row.actor_id ?? "",
  actorName: row.actor_name,
  message: row.message,
  alertId: row.alert_id ?? "",
  channelId: row.channel_id ?? "",
  deliveryId: row.delivery_id ?? "",
  silenceId: row.silence_id ?? "",
});
