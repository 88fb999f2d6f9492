import { type RawBuilder, sql } from "kysely";
import type { Database } from "../db/database.ts";
import type { Page } from "../page.ts";

export interface MetricRow {
  metric: string;
  kind: "unspecified" | "gauge" | "counter";
  unit: string;
  description: string;
  series_count: bigint;
  first_seen_at: Date;
  last_seen_at: Date | null;
}

/** What all of some conditions hold for. */
export const allOf = (conditions: readonly RawBuilder<boolean>[]) =>
  conditions.length === 0 ? sql<boolean>`true` : sql<boolean>`${sql.join(conditions, sql` and `)}`;

const contains = (column: RawBuilder<string>, part: string): RawBuilder<boolean> =>
  part === "" ? sql`true` : sql`strpos(lower(${column}), lower(${part})) > 0`;

const METRIC = sql`
  metric, kind, unit, description, series_count, first_seen_at,
  (select max(last_seen_at) from metric_senders as senders
   where senders.workspace_id = metrics.workspace_id and senders.metric = metrics.metric
  ) as last_seen_at
`;

/** By name; a page starts after the metric that is its key. */
export async function listMetrics(
  db: Database,
  workspaceId: string,
  page: Page,
  nameContains: string,
  conditions: readonly RawBuilder<boolean>[],
): Promise<MetricRow[]> {
  const [last] = page.after ?? [];
  const selected =
    conditions.length === 0
      ? sql`true`
      : sql`exists (
          select 1 from series where series.workspace_id = metrics.workspace_id
            and series.metric = metrics.metric and ${allOf(conditions)}
        )`;
  const { rows } = await sql<MetricRow>`
    select ${METRIC} from metrics
    where workspace_id = ${workspaceId} and ${last === undefined ? sql`true` : sql`metric > ${last}`}
      and ${contains(sql`metric`, nameContains)} and ${selected}
    order by metric limit ${page.size + 1}
  `.execute(db);
  return rows;
}

export async function findMetric(
  db: Database,
  workspaceId: string,
  metric: string,
): Promise<MetricRow | undefined> {
  const { rows } = await sql<MetricRow>`
    select ${METRIC} from metrics where workspace_id = ${workspaceId} and metric = ${metric}
  `.execute(db);
  return rows[0];
}

export interface SenderRow {
  sender_id: string;
  display_name: string;
  last_seen_at: Date;
}

/** Who sent a metric, those seen last first. */
export async function listSenders(
  db: Database,
  workspaceId: string,
  metric: string,
  most: number,
): Promise<SenderRow[]> {
  const { rows } = await sql<SenderRow>`
    select sender_id, coalesce(edges.display_name, keys.display_name, '') as display_name,
      senders.last_seen_at
    from metric_senders as senders
    left join edges on edges.workspace_id = senders.workspace_id and edge_id = sender_id
    left join ingestion_keys as keys
      on keys.workspace_id = senders.workspace_id and ingestion_key_id = sender_id
    where senders.workspace_id = ${workspaceId} and metric = ${metric}
    order by senders.last_seen_at desc, sender_id limit ${most}
  `.execute(db);
  return rows;
}

/** The ids of a metric's series that all conditions select, no more than `most`. */
export async function findSeriesIds(
  db: Database,
  workspaceId: string,
  metric: string,
  conditions: readonly RawBuilder<boolean>[],
  most: number,
): Promise<number[]> {
  const { rows } = await sql<{ series_id: bigint }>`
    select series_id from series
    where workspace_id = ${workspaceId} and metric = ${metric} and ${allOf(conditions)}
    limit ${most}
  `.execute(db);
  return rows.map((row) => Number(row.series_id));
}

/** The labels of series, by id. */
export async function findLabels(
  db: Database,
  workspaceId: string,
  seriesIds: readonly number[],
): Promise<Map<number, Record<string, string>>> {
  const rows = await db
    .selectFrom("series")
    .select(["series_id", "labels"])
    .where("workspace_id", "=", workspaceId)
    .where("series_id", "=", sql<bigint>`any(${seriesIds}::bigint[])`)
    .execute();
  return new Map(rows.map((row) => [Number(row.series_id), row.labels]));
}

export interface SeriesRow {
  series_id: bigint;
  labels: Record<string, string>;
  first_seen_at: Date;
  last_seen_at: Date | null;
  archived_at: Date | null;
}

/** By age; a page starts after the id that is its key. */
export async function listSeries(
  db: Database,
  workspaceId: string,
  metric: string,
  conditions: readonly RawBuilder<boolean>[],
  { size, after }: { size: number; after: bigint | undefined },
): Promise<SeriesRow[]> {
  const { rows } = await sql<SeriesRow>`
    select series_id, labels, first_seen_at, last_seen_at, archived_at from series
    where workspace_id = ${workspaceId} and metric = ${metric} and ${allOf(conditions)}
      and ${after === undefined ? sql`true` : sql`series_id > ${String(after)}::bigint`}
    order by series_id limit ${size + 1}
  `.execute(db);
  return rows;
}

const ofMetric = (metric: string) => (metric === "" ? sql`true` : sql`metric = ${metric}`);

/** Names of labels; a page starts after the name that is its key. */
export async function listLabels(
  db: Database,
  workspaceId: string,
  page: Page,
  { metric, nameContains }: { metric: string; nameContains: string },
) {
  const [last] = page.after ?? [];
  const { rows } = await sql<{ label: string; value_count: bigint; series_count: bigint }>`
    select label.key as label, count(distinct label.value) as value_count,
      count(*) as series_count
    from series cross join jsonb_each_text(labels) as label
    where workspace_id = ${workspaceId} and ${ofMetric(metric)}
      and ${last === undefined ? sql`true` : sql`label.key > ${last}`}
      and ${contains(sql`label.key`, nameContains)}
    group by label.key order by label.key limit ${page.size + 1}
  `.execute(db);
  return rows;
}

/** Values of a label; a page starts after the value that is its key. */
export async function listLabelValues(
  db: Database,
  workspaceId: string,
  page: Page,
  { label, metric, valueContains }: { label: string; metric: string; valueContains: string },
) {
  const [last] = page.after ?? [];
  const { rows } = await sql<{ value: string; series_count: bigint }>`
    select labels ->> ${label}::text as value, count(*) as series_count from series
    where workspace_id = ${workspaceId} and ${ofMetric(metric)} and labels ? ${label}::text
      and ${last === undefined ? sql`true` : sql`labels ->> ${label}::text > ${last}`}
      and ${contains(sql`labels ->> ${label}::text`, valueContains)}
    group by value order by value limit ${page.size + 1}
  `.execute(db);
  return rows;
}
