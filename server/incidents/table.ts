import type { Severity } from "../alerts/table.ts";
import type { Filled, Time } from "../db/database.ts";

export type IncidentState = "open" | "acknowledged" | "resolved";
export type EventKind =
  | "opened"
  | "alert_fired"
  | "alert_resolved"
  | "acknowledged"
  | "assigned"
  | "commented"
  | "resolved"
  | "reopened"
  | "notified"
  | "silenced";

export interface IncidentTables {
  incidents: {
    workspace_id: string;
    incident_id: string;
    number: bigint;
    title: string;
    severity: Severity;
    state: Filled<IncidentState>;
    opened_at: Filled<Date>;
    reopened_at: Time | null;
    reopenings: Filled<number>;
    joined_at: Filled<Date>;
    acknowledged_at: Time | null;
    acknowledged_by: string | null;
    assignee_id: string | null;
    resolved_at: Time | null;
    resolved_by: string | null;
  };
  incident_alerts: {
    workspace_id: string;
    alert_id: string;
    incident_id: string;
    reason: string;
    joined_at: Filled<Date>;
    ended_at: Time | null;
  };
  incident_ties: {
    workspace_id: string;
    tie: string;
    incident_id: string;
  };
  incident_events: {
    workspace_id: string;
    event_id: Filled<bigint>;
    incident_id: string;
    happened_at: Filled<Date>;
    kind: EventKind;
    actor_id: string | null;
    actor_name: Filled<string>;
    message: Filled<string>;
    alert_id: string | null;
    channel_id: string | null;
    delivery_id: string | null;
    silence_id: string | null;
  };
}
