import type { Filled, Time } from "../db/database.ts";

export type WorkKind = "poll" | "test" | "deliver";
export type WorkState = "due" | "claimed" | "done" | "failed" | "expired";

export interface WorkTables {
  workers: {
    workspace_id: string;
    collector_id: string;
    zone_id: string;
    process_id: string;
    /** Names of lumetry.access.v1.Capability, without their prefix. */
    capabilities: string[];
    seen_at: Filled<Date>;
    lease_until: Time;
    live: Filled<boolean>;
    assignments_revision: Filled<bigint>;
    forgotten_revision: Filled<bigint>;
    stale_reports: Filled<bigint>;
  };
  work_items: {
    workspace_id: string;
    work_id: string;
    kind: WorkKind;
    state: Filled<WorkState>;
    zone_id: string | null;
    subject_id: string;
    assigned_to: string | null;
    due_at: Time;
    expires_at: Time | null;
    budget_ms: bigint;
    every: string | null;
    origin: Time | null;
    task: Buffer | null;
    result: Buffer | null;
    attempts: Filled<number>;
    skipped: Filled<bigint>;
    lapses: Filled<number>;
    fence: Filled<bigint>;
    claimed_by: string | null;
    process_id: string | null;
    claimed_at: Time | null;
    token_hash: Buffer | null;
    lease_until: Time | null;
    lease_limit: Time | null;
    spent_hash: Buffer | null;
    ended_at: Time | null;
  };
  work_progress: {
    workspace_id: string;
    work_id: string;
    step: Filled<bigint>;
    phase: string;
    message: string;
    elapsed_ms: number | null;
  };
}
