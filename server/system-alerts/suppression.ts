import { sql } from "kysely";
import { SystemAlertKind as Kind } from "../../gen/lumetry/v1/system_alert_service_pb.js";
import type { Database } from "../db/database.ts";
import { CAUSES, kindName } from "./kinds.ts";

/** Why nobody is told, for now, that something is not heard of. */
export interface Suppression {
  /** The alert that explains it. */
  suppressedBy?: string;
  /** Whether something explains it will be known then. */
  holdMs?: number;
  /** Something that may explain it is looked into. */
  isSuspected?: boolean;
}

/** Of what explains that others are silent, the one that concerns what a collector sends itself, too. */
const OFFLINE = kindName(Kind.COLLECTOR_MISSED_HEARTBEATS);

/** A collector that was heard of within this is well. */
const HEARD_OF_MS = 15_000;
/** After that a silent collector is suspected; meanwhile those behind it are held for longer. */
const HOLD_MS = 45_000;

/**
 * What explains that nothing comes from these collectors and agents, or will in a moment: an outage of
 * the collector on the way. Those that are left out have no such excuse.
 */
export async function findSuppressions(
  db: Database,
  workspaceId: string,
  edgeIds: readonly string[],
): Promise<Map<string, Suppression>> {
  if (edgeIds.length === 0) return new Map();
  const { rows } = await sql<{
    edge_id: string;
    explained_by: string | null;
    is_suspected: boolean;
    is_well: boolean;
  }>`
    select ways.edge_id, cause.alert_id as explained_by,
      coalesce(cause.state = 'pending', false) as is_suspected,
      coalesce(collector.last_seen_at, collector.enrolled_at)
        > wall_clock() - ${HEARD_OF_MS} * interval '1 millisecond' as is_well
    from (
      select edges.workspace_id, edge_id, coalesce(relay_id, edge_id) as collector_id,
        relay_id is not null as is_relayed
      from edges left join agents on agents.workspace_id = edges.workspace_id
        and agents.agent_id = edges.edge_id
      where edges.workspace_id = ${workspaceId} and edge_id = any(${edgeIds}::text[])
        and (kind = 'collector' or relay_id is not null)
    ) as ways
    join edges as collector on collector.workspace_id = ways.workspace_id
      and collector.edge_id = ways.collector_id
    left join lateral (
      select alert_id, state from alerts
      where alerts.workspace_id = ways.workspace_id and origin = 'system'
        and group_key = ways.collector_id and state <> 'resolved'
        and (system_kind = ${OFFLINE}
          or is_relayed and system_kind = any(${CAUSES.map(kindName)}::text[]))
      order by state = 'firing' desc, alert_id limit 1
    ) as cause on true
  `.execute(db);
  const found = new Map<string, Suppression>();
  for (const { edge_id, explained_by, is_suspected, is_well } of rows) {
    if (explained_by !== null && !is_suspected) found.set(edge_id, { suppressedBy: explained_by });
    else if (is_suspected || !is_well) {
      found.set(edge_id, { holdMs: HOLD_MS, isSuspected: is_suspected });
    }
  }
  return found;
}

/** What depends on a collector, and how many alerts its own explains. */
export interface Behind {
  agents: number;
  sources: number;
  suppressed: number;
}

export async function countBehind(
  db: Database,
  workspaceId: string,
  collectorIds: readonly string[],
): Promise<Map<string, Behind>> {
  if (collectorIds.length === 0) return new Map();
  const { rows } = await sql<{
    collector_id: string;
    agents: bigint;
    sources: bigint;
    suppressed: bigint;
  }>`
    select collector_id,
      (select count(*) from agents join edges on edges.workspace_id = agents.workspace_id
          and edges.edge_id = agents.agent_id and edges.status <> 'revoked'
        where agents.workspace_id = ${workspaceId} and relay_id = collector_id) as agents,
      (select count(*) from work_items join sources on sources.workspace_id = work_items.workspace_id
          and sources.source_id = work_items.subject_id and not paused
        where work_items.workspace_id = ${workspaceId} and assigned_to = collector_id) as sources,
      (select count(*) from alerts as cause join alerts as explained
          on explained.workspace_id = cause.workspace_id
          and explained.suppressed_by = cause.alert_id and explained.state <> 'resolved'
        where cause.workspace_id = ${workspaceId} and cause.origin = 'system'
          and cause.system_kind = ${OFFLINE} and cause.group_key = collector_id
          and cause.state <> 'resolved') as suppressed
    from unnest(${collectorIds}::text[]) as collector_id
  `.execute(db);
  return new Map(
    rows.map(({ collector_id, agents, sources, suppressed }) => [
      collector_id,
      { agents: Number(agents), sources: Number(sources), suppressed: Number(suppressed) },
    ]),
  );
}
