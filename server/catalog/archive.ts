import { sql } from "kysely";
import { CHUNKS } from "../chunks/names.ts";
import type { Database } from "../db/database.ts";
import { countSeries, lockCatalog } from "../log/series-store.ts";

const DAY_MS = 86_400_000;
/** For how long a server believes what it knows of the catalog, at most. */
export const CATALOG_BELIEVED_MS = DAY_MS;
/** When a series was seen last is known once its points are merged, a day later at most. */
const NOTED_WITHIN_MS = 2 * DAY_MS;
/** An hour more than believed: what a server was about to write then is written and read by now. */
const SURELY_READ_MS = CATALOG_BELIEVED_MS + 3_600_000;
const MOST_AT_ONCE = 10_000;

const ago = (ms: number) => sql`wall_clock() - ${ms}::float8 * interval '1 millisecond'`;

/**
 * Keeps the catalog of each workspace: a series without a point for as long as points are kept is
 * archived and does not count any more; one that has points again comes back; one of which nothing
 * at all is left is forgotten. A writer that believes in a series still may write to it: it is
 * forgotten only once all that was written in the time that servers believe something was read.
 */
export async function keepCatalog(
  db: Database,
  retention: { pointsMs: number; allMs: number },
  signal?: AbortSignal,
): Promise<void> {
  const { rows } = await sql<{ workspace_id: string }>`
    select workspace_id from readers
    where reader = ${CHUNKS} and read_through > ${ago(3_600_000)}
  `.execute(db);
  for (const { workspace_id } of rows) {
    for (const step of [revive, archive, forget]) {
      for (let changed = MOST_AT_ONCE; changed === MOST_AT_ONCE && !signal?.aborted; ) {
        changed = await db.transaction().execute(async (transaction) => {
          await lockCatalog(transaction, workspace_id);
          return step(transaction, workspace_id, retention);
        });
      }
    }
  }
}

type Step = (
  transaction: Database,
  workspaceId: string,
  retention: { pointsMs: number; allMs: number },
) => Promise<number>;

const revive: Step = async (transaction, workspaceId, { pointsMs }) => {
  const { rows } = await sql<{ metric: string }>`
    update series set archived_at = null
    where workspace_id = ${workspaceId} and series_id = any(array(
      select series_id from series
      where workspace_id = ${workspaceId} and archived_at is not null
        and last_seen_at > archived_at - ${pointsMs}::float8 * interval '1 millisecond'
      limit ${MOST_AT_ONCE}
    ))
    returning metric
  `.execute(transaction);
  await countSeries(transaction, workspaceId, rows.map(metricOf), 1);
  return rows.length;
};

const archive: Step = async (transaction, workspaceId, { pointsMs }) => {
  const { rows } = await sql<{ metric: string }>`
    update series set archived_at = wall_clock()
    where workspace_id = ${workspaceId} and series_id = any(array(
      select series_id from series
      where workspace_id = ${workspaceId} and archived_at is null
        and coalesce(last_seen_at, first_seen_at) < ${ago(pointsMs + NOTED_WITHIN_MS)}
      limit ${MOST_AT_ONCE}
    ))
    returning metric
  `.execute(transaction);
  await countSeries(transaction, workspaceId, rows.map(metricOf), -1);
  return rows.length;
};

const forget: Step = async (transaction, workspaceId, { allMs }) => {
  const { rows } = await sql<{ metric: string }>`
    delete from series
    where workspace_id = ${workspaceId} and series_id = any(array(
      select series_id from series
      where workspace_id = ${workspaceId}
        and coalesce(last_seen_at, first_seen_at) < ${ago(allMs + NOTED_WITHIN_MS)}
        and archived_at < (
          select read_through - ${SURELY_READ_MS}::float8 * interval '1 millisecond'
          from readers where workspace_id = ${workspaceId} and reader = ${CHUNKS}
        )
      limit ${MOST_AT_ONCE}
    ))
    returning metric
  `.execute(transaction);
  await sql`
    delete from metrics
    where workspace_id = ${workspaceId} and metric = any(${rows.map(metricOf)}::text[])
      and not exists (
        select 1 from series
        where series.workspace_id = metrics.workspace_id and series.metric = metrics.metric
      )
  `.execute(transaction);
  return rows.length;
};

const metricOf = ({ metric }: { metric: string }) => metric;
