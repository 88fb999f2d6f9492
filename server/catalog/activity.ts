import { sql } from "kysely";
import type { Database } from "../db/database.ts";

/** A series is noted as seen at most so often, so that the catalog is not written with every point. */
const NOTED_EVERY = sql`interval '1 hour'`;

/** Notes when series had their last points, by id, in ms since 1970; hardly ever writes. */
export async function noteSeen(
  transaction: Database,
  workspaceId: string,
  lastSeen: ReadonlyMap<number, number>,
): Promise<void> {
  if (lastSeen.size === 0) return;
  await sql`
    update series set last_seen_at = seen.at
    from (
      select series_id, to_timestamp(ms / 1000.0) as at
      from unnest(${[...lastSeen.keys()]}::bigint[], ${[...lastSeen.values()]}::float8[])
        as given (series_id, ms)
    ) as seen
    where workspace_id = ${workspaceId} and series.series_id = seen.series_id
      and (last_seen_at is null or last_seen_at + ${NOTED_EVERY} <= seen.at)
  `.execute(transaction);
}

/** Those of the series, by a range of ids, whose metric was declared as a gauge. */
export async function findGauges(
  db: Database,
  workspaceId: string,
  [from, to]: [from: number, to: number],
): Promise<Set<number>> {
  const { rows } = await sql<{ series_id: bigint }>`
    select series_id from series join metrics using (workspace_id, metric)
    where workspace_id = ${workspaceId} and series_id >= ${from} and series_id < ${to}
      and kind = 'gauge'
  `.execute(db);
  return new Set(rows.map((row) => Number(row.series_id)));
}

/** Notes of which metrics a sender has sent series, by their ids. */
export async function noteSenders(
  transaction: Database,
  workspaceId: string,
  senders: ReadonlyMap<string, Iterable<number>>,
): Promise<void> {
  const pairs = [...senders].flatMap(([senderId, ids]) =>
    Array.from(ids, (seriesId) => ({ senderId, seriesId })),
  );
  if (pairs.length === 0) return;
  await sql`
    insert into metric_senders (workspace_id, metric, sender_id, last_seen_at)
    select ${workspaceId}, metric, sender_id, wall_clock() from unnest(
      ${pairs.map(({ senderId }) => senderId)}::text[],
      ${pairs.map(({ seriesId }) => seriesId)}::bigint[]
    ) as sent (sender_id, series_id)
    join series on series.workspace_id = ${workspaceId} and series.series_id = sent.series_id
    group by metric, sender_id
    on conflict (workspace_id, metric, sender_id)
      do update set last_seen_at = greatest(metric_senders.last_seen_at, excluded.last_seen_at)
  `.execute(transaction);
}
