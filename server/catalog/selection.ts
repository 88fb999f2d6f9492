import { hash } from "node:crypto";
import { type RawBuilder, sql } from "kysely";
import type { Database } from "../db/database.ts";
import type { Queries } from "../db/transaction.ts";
import { allOf, type MetricRow } from "./store.ts";

/** A metric, and those of its series that some conditions select. */
export interface Selection {
  /** Without when it was last seen, which would mean to ask for each of its senders. */
  metric: Omit<MetricRow, "last_seen_at">;
  /** By age. */
  ids: number[];
  /** Of all of them, or of some if there are more than were asked for. */
  labels: Map<number, Record<string, string>>;
}

/** Statements of so many conditions come in few shapes, so that each is worth planning but once. */
const MOST_KEPT_CONDITIONS = 2;

/** Selects `most.series` of a metric's series at most; undefined when there is no such metric. */
export async function selectSeries(
  { db, pool }: { db: Database; pool: Queries },
  workspaceId: string,
  metric: string,
  conditions: readonly RawBuilder<boolean>[],
  most: { series: number; labelled: number },
): Promise<Selection | undefined> {
  // As one text each, since rows cost more than what is in them.
  const { sql: text, parameters } = sql`
    select kind, unit, description, series_count, first_seen_at, ids, labels
    from metrics cross join (
      select string_agg(series_id::text, ' ' order by series_id) as ids,
        json_object_agg(series_id, labels) filter (where number <= ${most.labelled}) as labels
      from (
        select series_id, labels, row_number() over () as number from series
        where workspace_id = ${workspaceId} and metric = ${metric} and ${allOf(conditions)}
        limit ${most.series}
      ) as selected
    ) as found
    where workspace_id = ${workspaceId} and metric = ${metric}
  `.compile(db);
  const { rows } = await pool.query<
    Omit<MetricRow, "metric" | "last_seen_at"> & {
      ids: string | null;
      labels: Record<string, Record<string, string>> | null;
    }
  >({
    ...(conditions.length <= MOST_KEPT_CONDITIONS && { name: hash("sha1", text) }),
    text,
    values: [...parameters],
  });
  const [row] = rows;
  if (!row) return undefined;
  const { ids, labels, ...described } = row;
  return {
    metric: { metric, ...described },
    ids: ids === null ? [] : ids.split(" ").map(Number),
    labels: new Map(Object.entries(labels ?? {}).map(([id, own]) => [Number(id), own])),
  };
}
