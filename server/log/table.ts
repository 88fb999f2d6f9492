import type { Filled } from "../db/database.ts";

export interface PointTables {
  metrics: {
    workspace_id: string;
    metric: string;
    kind: Filled<"unspecified" | "gauge" | "counter">;
    unit: Filled<string>;
    description: Filled<string>;
    series_count: Filled<bigint>;
    first_seen_at: Filled<Date>;
  };
  series: {
    workspace_id: string;
    series_id: Filled<bigint>;
    metric: string;
    labels: Record<string, string>;
    fingerprint: Buffer;
    first_seen_at: Filled<Date>;
    last_seen_at: Date | null;
    archived_at: Date | null;
  };
  metric_senders: {
    workspace_id: string;
    metric: string;
    sender_id: string;
    last_seen_at: Date;
  };
  segments: {
    workspace_id: string;
    segment_id: Filled<bigint>;
    arrived_at: Filled<Date>;
    transaction_id: Filled<string>;
    start_ms: bigint;
    end_ms: bigint;
    points: bigint;
    body: Buffer;
  };
  batches: {
    workspace_id: string;
    sender_id: string;
    batch_id: string;
    arrived_at: Filled<Date>;
    accepted: bigint;
    answer: Buffer;
  };
}
