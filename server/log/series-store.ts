import { sql } from "kysely";
import { type Database, wallClock } from "../db/database.ts";

/** A series that a workspace may or may not have yet. */
export interface NewSeries {
  metric: string;
  labels: Record<string, string>;
  fingerprint: Buffer;
}

/** The ids of those that exist and are not archived, by the fingerprint in hexadecimal form. */
export async function findSeries(
  db: Database,
  workspaceId: string,
  wanted: readonly NewSeries[],
): Promise<Map<string, number>> {
  const { rows } = await sql<{ series_id: bigint; fingerprint: Buffer }>`
    select series_id, fingerprint from series
    where workspace_id = ${workspaceId}
      and fingerprint = any(${wanted.map(({ fingerprint }) => fingerprint)}::bytea[])
      and archived_at is null
  `.execute(db);
  return new Map(rows.map((row) => [row.fingerprint.toString("hex"), Number(row.series_id)]));
}

/**
 * Brings those back that are archived, under the lock of the catalog: they count again. Answers as
 * findSeries does.
 */
export async function reviveSeries(
  transaction: Database,
  workspaceId: string,
  wanted: readonly NewSeries[],
): Promise<Map<string, number>> {
  const { rows } = await sql<{ series_id: bigint; fingerprint: Buffer; metric: string }>`
    update series set archived_at = null, last_seen_at = ${wallClock}
    where workspace_id = ${workspaceId} and archived_at is not null
      and fingerprint = any(${wanted.map(({ fingerprint }) => fingerprint)}::bytea[])
    returning series_id, fingerprint, metric
  `.execute(transaction);
  await countSeries(
    transaction,
    workspaceId,
    rows.map(({ metric }) => metric),
    1,
  );
  return new Map(rows.map((row) => [row.fingerprint.toString("hex"), Number(row.series_id)]));
}

/** Counts series of metrics, each named as often as it has some, in or out. */
export async function countSeries(
  transaction: Database,
  workspaceId: string,
  metrics: readonly string[],
  each: 1 | -1,
): Promise<void> {
  if (metrics.length === 0) return;
  await sql`
    update metrics set series_count = series_count + ${each} * changed.series
    from (
      select metric, count(*) as series from unnest(${metrics}::text[]) as metric group by metric
    ) as changed
    where workspace_id = ${workspaceId} and metrics.metric = changed.metric
  `.execute(transaction);
  await transaction
    .updateTable("workspaces")
    .set({ series_count: sql`series_count + ${each * metrics.length}` })
    .where("workspace_id", "=", workspaceId)
    .execute();
}

/**
 * Locks a workspace's row, under which its catalog of metrics and series changes; answers how many
 * more series it may have. Rows that refer to the workspace can still be written meanwhile.
 */
export async function lockCatalog(transaction: Database, workspaceId: string): Promise<number> {
  const { series_limit, series_count } = await transaction
    .selectFrom("workspaces")
    .select(["series_limit", "series_count"])
    .where("workspace_id", "=", workspaceId)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow();
  return Math.max(0, Number(series_limit - series_count));
}

/** Writes series that do not exist, under the lock of the catalog. Answers as findSeries does. */
export async function insertSeries(
  transaction: Database,
  workspaceId: string,
  added: readonly NewSeries[],
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const { metric } of added) counts.set(metric, (counts.get(metric) ?? 0) + 1);
  const metrics = [...counts.keys()];
  await sql`
    insert into metrics (workspace_id, metric, series_count, first_seen_at)
    select ${workspaceId}, added.metric, added.series, ${wallClock}
    from unnest(${metrics}::text[], ${[...counts.values()]}::bigint[]) as added (metric, series)
    on conflict (workspace_id, metric)
      do update set series_count = metrics.series_count + excluded.series_count
  `.execute(transaction);
  const { rows } = await sql<{ series_id: bigint; fingerprint: Buffer }>`
    insert into series (workspace_id, metric, labels, fingerprint)
    select ${workspaceId}, added.metric, added.labels, added.fingerprint
    from unnest(
      ${added.map(({ metric }) => metric)}::text[],
      ${added.map(({ labels }) => JSON.stringify(labels))}::jsonb[],
      ${added.map(({ fingerprint }) => fingerprint)}::bytea[]
    ) as added (metric, labels, fingerprint)
    returning series_id, fingerprint
  `.execute(transaction);
  await transaction
    .updateTable("workspaces")
    .set({ series_count: sql`series_count + ${rows.length}` })
    .where("workspace_id", "=", workspaceId)
    .execute();
  return new Map(rows.map((row) => [row.fingerprint.toString("hex"), Number(row.series_id)]));
}
