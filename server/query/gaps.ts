import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { QueueHealth_Drop_Reason as DropReason } from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import type { Database } from "../db/database.ts";
import type { Span } from "./rules.ts";

/** Set by the server on all that a collector or an agent sends. */
const SENDER_LABELS = ["lumetry.collector_id", "lumetry.agent_id"];
const MOST_GAPS = 1_000;

/** What the collectors and agents behind some series say that they lost in a span of time. */
export async function findGaps(
  db: Database,
  workspaceId: string,
  labels: Iterable<Record<string, string>>,
  { startMs, endMs }: Span,
) {
  const senders = new Set<string>();
  for (const each of labels) {
    for (const name of SENDER_LABELS) if (each[name] !== undefined) senders.add(each[name]);
  }
  if (senders.size === 0) return [];
  const { rows } = await sql<{
    edge_id: string;
    started_at: Date;
    ended_at: Date;
    points: bigint;
    reason: string;
  }>`
    select edge_id, started_at, ended_at, points, reason from edge_drops
    where workspace_id = ${workspaceId} and edge_id = any(${[...senders]}::text[])
      and started_at < to_timestamp(${endMs / 1000}::float8)
      and ended_at >= to_timestamp(${startMs / 1000}::float8)
    order by started_at, drop_number limit ${MOST_GAPS}
  `.execute(db);
  return rows.map((row) => ({
    senderId: row.edge_id,
    startTime: timestampFromDate(row.started_at),
    endTime: timestampFromDate(row.ended_at),
    points: row.points,
    reason: DropReason[row.reason as keyof typeof DropReason] ?? DropReason.UNSPECIFIED,
  }));
}
