/** How long the oldest part of each workspace's log has waited for each of its readers, as a query. */
export const LAGS = `
  select readers.workspace_id, reader,
    coalesce(extract(epoch from wall_clock() - oldest), 0)::float8 as seconds
  from readers left join lateral (
    select min(arrived_at) as oldest from segments
    where segments.workspace_id = readers.workspace_id
      and transaction_id >= pg_snapshot_xmin(seen)
      and not pg_visible_in_snapshot(transaction_id, seen)
  ) as unread on true`;
