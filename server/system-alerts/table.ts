import type { Severity } from "../alerts/table.ts";
import type { Filled, Time } from "../db/database.ts";

export interface SystemAlertTables {
  system_alert_settings: {
    workspace_id: string;
    system_kind: string;
    enabled: boolean | null;
    severity: Severity | null;
    threshold: number | null;
    hold_down_ms: bigint | null;
    recovery_ms: bigint | null;
  };
  system_alert_watches: {
    workspace_id: string;
    due_at: Filled<Date>;
    looked_at: Filled<Date>;
    watched_since: Filled<Date>;
  };
  system_alert_recoveries: {
    workspace_id: string;
    alert_id: string;
    clear_since: Filled<Date>;
  };
  server_certificates: {
    fingerprint: string;
    names: string;
    starts_at: Time;
    expires_at: Time;
    seen_at: Filled<Date>;
  };
  server_missing_keys: {
    /** Of one process. */
    server_id: string;
    key_id: string;
    server_name: string;
    seen_at: Filled<Date>;
  };
}
