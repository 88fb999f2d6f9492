import type { Filled } from "../db/database.ts";

export type NodeKind = "site" | "group" | "cluster";

export interface TopologyTables {
  topology_nodes: {
    workspace_id: string;
    node_id: string;
    kind: NodeKind;
    display_name: string;
    folded_name: string;
    parent_id: string | null;
    created_at: Filled<Date>;
  };
}
