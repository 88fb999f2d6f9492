import type { Filled, Time } from "../db/database.ts";

export interface AssignmentTables {
  source_assignments: {
    workspace_id: string;
    assignment_id: Filled<bigint>;
    source_id: string;
    collector_id: string;
    revision: bigint;
    started_at: Filled<Date>;
    ended_at: Time | null;
    moved: Filled<boolean>;
  };
  plan_requests: {
    workspace_id: string;
    request_id: Filled<bigint>;
    zone_id: string;
  };
}
