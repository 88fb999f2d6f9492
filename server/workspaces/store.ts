import { type Selectable, sql } from "kysely";
import type { AccessTables } from "../access/table.ts";
import type { Database } from "../db/database.ts";

export type WorkspaceRow = Selectable<AccessTables["workspaces"]>;

export function insertWorkspace(
  db: Database,
  workspace: { workspaceId: string; displayName: string; seriesLimit: number },
) {
  return db
    .insertInto("workspaces")
    .values({
      workspace_id: workspace.workspaceId,
      display_name: workspace.displayName,
      series_limit: BigInt(workspace.seriesLimit),
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

export function findWorkspace(db: Database, workspaceId: string) {
  return db
    .selectFrom("workspaces")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .executeTakeFirstOrThrow();
}

/** The lock under which it is decided who administers a workspace. */
export async function lockWorkspace(db: Database, workspaceId: string): Promise<void> {
  await db
    .selectFrom("workspaces")
    .select("workspace_id")
    .where("workspace_id", "=", workspaceId)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow();
}

export function renameWorkspace(db: Database, workspaceId: string, displayName: string) {
  return db
    .updateTable("workspaces")
    .set({ display_name: displayName })
    .where("workspace_id", "=", workspaceId)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Undefined when there is no such workspace. */
export function setSeriesLimit(db: Database, workspaceId: string, seriesLimit: bigint) {
  return db
    .updateTable("workspaces")
    .set({ series_limit: seriesLimit })
    .where("workspace_id", "=", workspaceId)
    .returningAll()
    .executeTakeFirst();
}

/** The points that arrived in each of the last so many whole minutes, the oldest first. */
export async function countArrivals(db: Database, workspaceId: string, minutes: number) {
  const { rows } = await sql<{ minute: Date; points: bigint }>`
    with span as (
      select date_trunc('minute', wall_clock()) as until,
        date_trunc('minute', wall_clock()) - ${minutes}::int * interval '1 minute' as since
    ), arrived as (
      select date_trunc('minute', arrived_at) as minute, sum(points)::bigint as points
      from segments, span
      where workspace_id = ${workspaceId} and arrived_at >= span.since and arrived_at < span.until
      group by 1
    )
    select minute, coalesce(points, 0)::bigint as points
    from span, generate_series(span.since, span.until - interval '1 minute', interval '1 minute') as minute
      left join arrived using (minute)
    order by minute`.execute(db);
  return rows;
}
