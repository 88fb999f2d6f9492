import { type RawBuilder, type SqlBool, sql } from "kysely";
import type { EdgeOrder, Attention_Kind as Kind } from "../../gen/lumetry/v1/edge_pb.js";
import type { Database } from "../db/database.ts";
import { isFound } from "../db/search.ts";
import type { Limits } from "../edges/attention.ts";
import { needsAttention } from "../edges/matters.ts";
import { orderEdges } from "../edges/order.ts";
import type { EdgeStatus } from "../edges/table.ts";
import type { Page } from "../page.ts";
import { selectCollectors } from "./store.ts";

export interface Filter {
  /** Part of a name, of a host's name or of a version, or a whole id. */
  search: string;
  zoneId: string;
  statuses: EdgeStatus[];
  needsAttention: boolean;
  attentionKinds: Kind[];
  limits: Limits;
}

function where(workspaceId: string, filter: Filter): RawBuilder<SqlBool> {
  const parts = [sql`edges.workspace_id = ${workspaceId} and edges.kind = 'collector'`];
  if (filter.search) {
    const texts = [sql`edges.display_name`, sql`edges.host ->> 'hostname'`, sql`edges.version`];
    parts.push(isFound(filter.search, { texts, id: sql`edges.edge_id` }));
  }
  if (filter.zoneId) parts.push(sql`edges.zone_id = ${filter.zoneId}`);
  if (filter.statuses.length > 0) parts.push(sql`edges.status = any(${filter.statuses})`);
  if (filter.needsAttention || filter.attentionKinds.length > 0) {
    parts.push(needsAttention(filter.attentionKinds, filter.limits));
  }
  return sql<SqlBool>`${sql.join(parts, sql` and `)}`;
}

/** Sorted as asked. */
export function listCollectors(
  db: Database,
  workspaceId: string,
  page: Page,
  filter: Filter,
  order: { by: EdgeOrder; reversed: boolean },
) {
  const { sortKey, orderBy, after } = orderEdges(order.by, order.reversed, page);
  let query = selectCollectors(db, workspaceId)
    .select(sortKey.as("sort_key"))
    .where(where(workspaceId, filter))
    .orderBy(orderBy)
    .limit(page.size + 1);
  if (after) query = query.where(after);
  return query.execute();
}

export async function countCollectors(
  db: Database,
  workspaceId: string,
  filter: Filter,
): Promise<bigint> {
  const { rows } = await sql<{ count: bigint }>`
    select count(*) from edges where ${where(workspaceId, filter)}`.execute(db);
  return rows[0]?.count ?? 0n;
}
