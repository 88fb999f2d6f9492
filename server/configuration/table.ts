import type { Filled, Time } from "../db/database.ts";

export interface ConfigurationTables {
  edge_configs: {
    workspace_id: string;
    edge_id: string;
    revision: bigint;
    /** Null when the revision stands for one of a profile. */
    document: string | null;
    published_at: Filled<Date>;
    published_by: string;
    reverted_from: Filled<bigint>;
    offered_at: Time | null;
    acknowledged_at: Time | null;
    outcome: "applied" | "rejected" | null;
    reason: Filled<string>;
    ignored_keys: Filled<string[]>;
    profile_id: string | null;
    profile_revision: bigint | null;
  };
  profile_configs: {
    workspace_id: string;
    profile_id: string;
    revision: bigint;
    document: string;
    published_at: Filled<Date>;
    published_by: string;
    reverted_from: Filled<bigint>;
  };
}
