import type { JsonValue } from "@bufbuild/protobuf";
import type { Filled, Time } from "../db/database.ts";

/** What only a collector has; the rest is in `edges`. */
export interface CollectorTables {
  collectors: {
    workspace_id: string;
    collector_id: string;
    /** Names of lumetry.access.v1.Capability, without their prefix. */
    granted_capabilities: Filled<string[]>;
    token_hash: Buffer | null;
    token_expires_at: Time | null;
    /** The JSON form of lumetry.edge.v1.RelayHealth. */
    relay: JsonValue | null;
  };
}
