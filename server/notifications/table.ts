import type { Severity } from "../alerts/table.ts";
import type { Filled, Time } from "../db/database.ts";

export interface NotificationTables {
  notification_groups: {
    workspace_id: string;
    group_id: string;
    /** Empty for the default of a workspace without routes. */
    route_id: string;
    route_name: string;
    group_key: string;
    group_labels: Record<string, string>;
    channel_ids: string[];
    interval_ms: bigint;
    repeat_ms: bigint;
    opened_at: Filled<Date>;
    transition: Filled<number>;
    told_at: Time | null;
    not_before: Time;
    told_severity: Severity | null;
    due_at: Time | null;
    closed_at: Time | null;
  };
  notification_members: {
    workspace_id: string;
    group_id: string;
    alert_id: string;
    fires: Filled<boolean>;
    told: Filled<"nothing" | "firing" | "resolved">;
    /** The severity that was told, of an alert that has become worse since. */
    believed_severity: Severity | null;
    silence_id: string | null;
  };
  notifications: {
    workspace_id: string;
    group_id: string;
    transition: number;
    channel_id: string;
    delivery_id: string;
    event_type: string;
    created_at: Filled<Date>;
  };
}
