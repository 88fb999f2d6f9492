import { type RawBuilder, type SqlBool, sql } from "kysely";
import { SendHeartbeatRequest_Warning as Warning } from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { Attention_Kind as Kind } from "../../gen/lumetry/v1/edge_pb.js";
import { REFUSED_LATELY_MS } from "../agents/rules.ts";
import { type Database, fromNow } from "../db/database.ts";
import type { Limits } from "./attention.ts";
import { statusOf } from "./rules.ts";
import { RECENT_MS } from "./store.ts";
import type { EdgeKind, EdgeStatus } from "./table.ts";

const enrolled = sql<SqlBool>`edges.status in ('active', 'duplicate_suspected')`;

const warned = (warning: Warning) =>
  sql<SqlBool>`${enrolled} and ${Warning[warning] ?? ""}::text = any(edges.warnings)`;

const agentWhere = (condition: RawBuilder<unknown>) =>
  sql<SqlBool>`${enrolled} and exists (select from agents
    where agents.workspace_id = edges.workspace_id and agents.agent_id = edges.edge_id
      and ${condition})`;

/** What the rules of attention say in words, as conditions on `edges`: a list finds what each page shows. */
const CONDITIONS: Partial<Record<Kind, (limits: Limits) => RawBuilder<SqlBool>>> = {
  [Kind.DUPLICATE_SUSPECTED]: () => sql`edges.status = 'duplicate_suspected'`,
  [Kind.MISSED_HEARTBEATS]: ({ missedHeartbeats, heartbeatIntervalMs }) =>
    sql`${enrolled} and coalesce(edges.last_seen_at, edges.enrolled_at)
      < ${fromNow(-missedHeartbeats * heartbeatIntervalMs)}`,
  [Kind.POINTS_DROPPED]: () =>
    sql`${enrolled} and exists (select from edge_drops as recent
      where recent.workspace_id = edges.workspace_id and recent.edge_id = edges.edge_id
        and recent.received_at > ${fromNow(-RECENT_MS)} and recent.points > 0)`,
  [Kind.QUEUE_FILLING]: ({ soonFullMs }) =>
    sql`${enrolled} and rtrim(edges.queue ->> 'timeToFull', 's')::double precision
      < ${soonFullMs / 1000}`,
  [Kind.CLOCK_SKEW]: ({ clockSkewMs }) =>
    sql`${enrolled} and abs(edges.clock_skew_ms) >= ${clockSkewMs}`,
  [Kind.CONFIG_REJECTED]: () =>
    sql`${enrolled} and exists (select from edge_configs as latest
      where latest.workspace_id = edges.workspace_id and latest.edge_id = edges.edge_id
        and latest.revision = edges.latest_revision and latest.outcome = 'rejected')`,
  [Kind.TOKEN_EXPIRED]: () =>
    sql`edges.status = 'pending' and exists (select from collectors
      where collectors.workspace_id = edges.workspace_id
        and collectors.collector_id = edges.edge_id
        and collectors.token_expires_at <= wall_clock())`,
  [Kind.CLEARTEXT_UPSTREAM]: () => warned(Warning.CLEARTEXT_UPSTREAM),
  [Kind.QUEUE_UNWRITABLE]: () => warned(Warning.QUEUE_UNWRITABLE),
  [Kind.SAMPLING_INCOMPLETE]: () => warned(Warning.SAMPLING_INCOMPLETE),
  [Kind.CLEARTEXT_RELAY]: () => warned(Warning.CLEARTEXT_RELAY),
  [Kind.RELAY_DOWN]: () => warned(Warning.RELAY_DOWN),
  [Kind.RELAY_REFUSED]: () => agentWhere(sql`refused_relay_at > ${fromNow(-REFUSED_LATELY_MS)}`),
  [Kind.UNASSIGNED]: () =>
    agentWhere(
      sql`cluster_id is null and placement in ('NOT_FOUND', 'NOT_A_CLUSTER', 'AMBIGUOUS')`,
    ),
  [Kind.ENROLLED_AGAIN]: () =>
    agentWhere(sql`machine_fingerprint <> '' and exists (select from agents as same
      join edges as later on later.workspace_id = same.workspace_id and later.edge_id = same.agent_id
      where same.workspace_id = agents.workspace_id
        and same.machine_fingerprint = agents.machine_fingerprint
        and (later.created_at, later.edge_id) > (edges.created_at, edges.edge_id))`),
};

export const ALL_KINDS = Object.keys(CONDITIONS).map(Number) as Kind[];

const condition = (kind: Kind, limits: Limits) => CONDITIONS[kind]?.(limits) ?? sql<SqlBool>`false`;

/** Whether an edge needs attention for one of these; for whatever there is when none is named. */
export function needsAttention(kinds: Kind[], limits: Limits): RawBuilder<SqlBool> {
  const wanted = kinds.length > 0 ? kinds : ALL_KINDS;
  const conditions = wanted.map((kind) => sql`(${condition(kind, limits)})`);
  return sql<SqlBool>`(${sql.join(conditions, sql` or `)})`;
}

/** A fleet in numbers, in one reading; whoever is revoked counts among the statuses only. */
export async function summarizeEdges(
  db: Database,
  workspaceId: string,
  kind: EdgeKind,
  limits: Limits,
) {
  const counts = ALL_KINDS.map(
    (each) => sql`count(*) filter (where ${condition(each, limits)}) as ${sql.ref(Kind[each])}`,
  );
  const fleet = sql`edges.workspace_id = ${workspaceId} and edges.kind = ${kind}`;
  const [statuses, sums] = await Promise.all([
    sql<{ status: EdgeStatus; count: bigint }>`
      select status, count(*) from edges where ${fleet} group by status`.execute(db),
    sql<Record<string, bigint>>`
      select ${sql.join(counts)},
        count(*) filter (where ${needsAttention([], limits)}) as needing_attention,
        coalesce(sum((queue ->> 'queuedPoints')::numeric), 0)::bigint as queued_points,
        coalesce(sum((queue ->> 'droppedPoints')::numeric), 0)::bigint as dropped_points
      from edges where ${fleet} and status <> 'revoked'`.execute(db),
  ]);
  const row = sums.rows[0] ?? {};
  return {
    statuses: statuses.rows.map(({ status, count }) => ({
      status: statusOf(status),
      edges: count,
    })),
    needingAttention: row.needing_attention ?? 0n,
    queuedPoints: row.queued_points ?? 0n,
    droppedPoints: row.dropped_points ?? 0n,
    attention: ALL_KINDS.map((each) => ({ kind: each, edges: row[Kind[each]] ?? 0n })).filter(
      ({ edges }) => edges > 0n,
    ),
  };
}
