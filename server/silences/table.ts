import type { JsonValue } from "@bufbuild/protobuf";
import type { Filled, Time } from "../db/database.ts";

export interface SilenceTables {
  silences: {
    workspace_id: string;
    silence_id: string;
    /** The JSON form of lumetry.v1.AlertConditions. */
    conditions: JsonValue;
    incident_id: string | null;
    starts_at: Time;
    ends_at: Time;
    reason: string;
    created_by: string;
    created_at: Filled<Date>;
  };
}
