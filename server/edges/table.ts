import type { JsonValue } from "@bufbuild/protobuf";
import type { Filled, Time } from "../db/database.ts";

export type EdgeKind = "collector" | "agent";
export type EdgeStatus = "pending" | "active" | "duplicate_suspected" | "revoked";

export interface EdgeTables {
  edges: {
    workspace_id: string;
    edge_id: string;
    kind: EdgeKind;
    zone_id: string;
    display_name: string;
    status: EdgeStatus;
    created_at: Filled<Date>;
    enroll_nonce_hash: Buffer | null;
    enrolled_at: Time | null;
    /** The JSON form of lumetry.edge.v1.Host. */
    host: JsonValue | null;
    rotation_requested_at: Time | null;
    revoked_at: Time | null;
    last_seen_at: Time | null;
    version: Filled<string>;
    clock_skew_ms: number | null;
    /** The JSON form of lumetry.edge.v1.QueueHealth, without drops. */
    queue: JsonValue | null;
    /** Names of lumetry.access.v1.Capability, without their prefix. */
    declared_capabilities: Filled<string[]>;
    warnings: Filled<string[]>;
    running_revision: Filled<bigint>;
    suspected_at: Time | null;
    suspected_last_at: Time | null;
    suspected_returned: string | null;
    suspected_replacement: string | null;
    latest_revision: Filled<bigint>;
  };
  edge_credentials: {
    workspace_id: string;
    credential_id: string;
    edge_id: string;
    state: "pending" | "active" | "ended";
    secret_hash: Buffer;
    created_at: Filled<Date>;
    confirm_by: Time | null;
    confirmed_at: Time | null;
    ended_at: Time | null;
  };
  edge_processes: {
    workspace_id: string;
    edge_id: string;
    process_id: string;
    hostname: string;
    address: string;
    version: string;
    sequence: bigint;
    first_seen_at: Time;
    last_seen_at: Time;
    nonce: string;
    superseded_at: Time | null;
  };
  /** See lumetry.v1.EdgeContact. */
  edge_contacts: {
    workspace_id: string;
    edge_id: string;
    contact_number: Filled<bigint>;
    started_at: Filled<Date>;
    ended_at: Filled<Date>;
    heartbeats: Filled<bigint>;
  };
  edge_drops: {
    workspace_id: string;
    edge_id: string;
    drop_number: Filled<bigint>;
    queue_id: string;
    drop_id: bigint;
    started_at: Time | null;
    ended_at: Time | null;
    points: bigint;
    reason: string;
    received_at: Filled<Date>;
  };
}
