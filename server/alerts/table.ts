import type { Filled, Time } from "../db/database.ts";

export type AlertOrigin = "rule" | "system";
export type AlertState = "pending" | "firing" | "resolved";
export type Severity = "info" | "warning" | "critical";

/** What decided an alert: points, or whatever else its source looks at. Never a secret. */
export type Evidence = { [name: string]: unknown };

export interface AlertTables {
  alerts: {
    workspace_id: string;
    alert_id: string;
    origin: AlertOrigin;
    rule_id: string | null;
    system_kind: string | null;
    /** The labels of the rule's group as text, or the id of what a system alert is about. */
    group_key: string;
    labels: Record<string, string>;
    subject_edge_id: string | null;
    severity: Severity;
    state: AlertState;
    summary: string;
    runbook_url: string;
    value: number | null;
    evidence: Evidence;
    /** Times of the data, not of whoever judged it. */
    started_at: Time;
    fired_at: Time | null;
    resolved_at: Time | null;
    resolve_reason: string;
    suppressed_by: string | null;
    held_until: Time | null;
    /** Since when incidents know of it. */
    told_at: Time | null;
    created_at: Filled<Date>;
    updated_at: Filled<Date>;
  };
  alert_transitions: {
    workspace_id: string;
    transition_id: Filled<bigint>;
    alert_id: string;
    from_state: "none" | "pending" | "firing";
    to_state: AlertState;
    data_time: Time;
    recorded_at: Filled<Date>;
    value: number | null;
    reason: string;
  };
}
