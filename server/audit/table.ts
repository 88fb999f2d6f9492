import type { Filled } from "../db/database.ts";

export interface AuditTables {
  audit_events: {
    workspace_id: string;
    audit_event_id: Filled<bigint>;
    happened_at: Filled<Date>;
    actor_kind: string;
    actor_id: string;
    actor_name: string;
    action: string;
    target_id: string;
    target_name: string;
    address: string;
    request_id: string;
    details: Record<string, unknown>;
  };
}
