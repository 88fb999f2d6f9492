import type { JsonValue } from "@bufbuild/protobuf";
import type { Filled, Time } from "../db/database.ts";

export interface SourceTables {
  sources: {
    workspace_id: string;
    source_id: string;
    zone_id: string;
    display_name: string;
    /** The JSON form of lumetry.source.v1.SourceSettings. */
    settings: JsonValue;
    target: string;
    interval_ms: bigint;
    phase_ms: bigint;
    timeout_ms: bigint;
    labels: Record<string, string>;
    paused: Filled<boolean>;
    secrets: Buffer | null;
    secrets_summary: JsonValue | null;
    secrets_set_at: Time | null;
    created_at: Filled<Date>;
    updated_at: Filled<Date>;
  };
  source_polls: {
    workspace_id: string;
    source_id: string;
    scheduled_at: Time | null;
    reported_at: Time | null;
    up: Filled<boolean>;
    failure: Filled<string>;
    duration_ms: number | null;
    phases: Filled<JsonValue>;
    accepted: Filled<bigint>;
    refused: Filled<bigint>;
    refusal: Filled<string>;
    failures_in_a_row: Filled<bigint>;
    backing_off_until: Time | null;
    completed: Filled<bigint>;
    filled: Filled<bigint>;
    stale: Filled<bigint>;
  };
}
