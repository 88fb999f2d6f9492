import type { JsonValue } from "@bufbuild/protobuf";
import type { Filled } from "../db/database.ts";
import type { GroupState } from "./condition.ts";

export interface RuleTables {
  rules: {
    workspace_id: string;
    rule_id: string;
    display_name: string;
    /** The JSON form of lumetry.v1.RuleSettings. */
    document: JsonValue;
    revision: Filled<bigint>;
    enabled: Filled<boolean>;
    created_at: Filled<Date>;
    updated_at: Filled<Date>;
    judged_since: Filled<Date>;
  };
  rule_progress: {
    workspace_id: string;
    judged_through: Filled<Date>;
    resumed_at: Filled<Date>;
    rules_revision: Filled<bigint>;
    state_token: Filled<string>;
  };
  rule_states: {
    workspace_id: string;
    rule_id: string;
    group_key: string;
    state: GroupState;
  };
  rule_points: {
    workspace_id: string;
    series_id: bigint;
    block_start_ms: bigint;
    body: Buffer;
  };
}
