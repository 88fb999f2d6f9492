import type { ColumnType } from "kysely";
import type { Filled, Time } from "../db/database.ts";

/** What only an agent has; the rest is in `edges`. */
export interface AgentTables {
  agents: {
    workspace_id: string;
    agent_id: string;
    profile_id: string;
    cluster_id: string | null;
    machine_fingerprint: Filled<string>;
    asked_cluster: Filled<string>;
    /** Name of lumetry.edge.v1.EnrollAgentResponse.Placement, without its prefix. */
    placement: string;
    has_own_config: Filled<boolean>;
    profile_revision: ColumnType<bigint | null, bigint | null | undefined, bigint | null>;
    relay_id: string | null;
    path_since: Filled<Date>;
    refused_relay_id: string | null;
    refused_relay_at: Time | null;
  };
}
