import type { Queries } from "../db/transaction.ts";
import type { Claimant } from "./claims.ts";
import { endClaimsOf, topicsOf } from "./lapses.ts";
import { notify, workerTopic } from "./signals.ts";

/** So long a collector is believed to live after it was last heard of; then its sources move. */
export const WORKER_LEASE_MS = 30_000;

/**
 * Notes that a collector has been heard of, and what it can do. False for one that was revoked, or
 * is no collector. A change that may call for other assignments has its zone planned anew.
 */
export async function seeWorker(
  queries: Queries,
  claimant: Claimant,
  capabilities: readonly string[],
): Promise<boolean> {
  const { rows } = await queries.query<{ planned: boolean }>({
    name: "see-worker",
    text: `
      with seen as (
        select workspace_id, edge_id, zone_id from edges
        where workspace_id = $1 and edge_id = $2 and kind = 'collector'
          and status in ('active', 'duplicate_suspected')
        -- A revocation holds this row while it takes everything from the collector.
        for key share
      ), before as (
        select live, capabilities from workers where workspace_id = $1 and collector_id = $2
      ), noted as (
        insert into workers (workspace_id, collector_id, zone_id, process_id, capabilities, lease_until)
        select workspace_id, edge_id, zone_id, $3, $4::text[],
          wall_clock() + ${WORKER_LEASE_MS} * interval '1 ms'
        from seen
        on conflict (workspace_id, collector_id) do update set
          process_id = excluded.process_id, capabilities = excluded.capabilities,
          seen_at = wall_clock(), lease_until = excluded.lease_until, live = true
        returning workspace_id, zone_id
      ), planned as (
        insert into plan_requests (workspace_id, zone_id)
        select workspace_id, zone_id from noted
        where not exists (select from before where live
          and ('POLL_SOURCE' = any(capabilities)) = ('POLL_SOURCE' = any($4::text[])))
        returning pg_notify('lumetry_work', 'plan')
      )
      select exists (select from planned) as planned from noted`,
    values: [claimant.workspaceId, claimant.collectorId, claimant.processId, capabilities],
  });
  return rows.length > 0;
}

/**
 * Marks those whose lease ran out, and has their zones planned anew. The polls that they had claimed
 * are anybody's again: else nobody could fill the slots until those claims run out, too.
 */
export async function loseWorkers(queries: Queries): Promise<number> {
  const { rows } = await queries.query({
    name: "lose-workers",
    text: `
      with lost as (
        select workspace_id, collector_id from workers
        where live and lease_until < (select wall_clock())
        order by lease_until limit 1000 for update skip locked
      ), marked as (
        update workers set live = false from lost
        where workers.workspace_id = lost.workspace_id and workers.collector_id = lost.collector_id
        returning workers.workspace_id, workers.zone_id
      ), held as (
        -- One that is reported on at this moment is not held any more in the next.
        select item.workspace_id, item.work_id from work_items as item
          join lost on item.workspace_id = lost.workspace_id
            and item.assigned_to = lost.collector_id and item.claimed_by = lost.collector_id
        where item.kind = 'poll' and item.state = 'claimed'
        order by item.work_id for update of item skip locked
      ), freed as (
        update work_items as item set
          state = 'due', token_hash = null, lease_until = null, lease_limit = null,
          lapses = lapses + 1
        from held where item.workspace_id = held.workspace_id and item.work_id = held.work_id
      )
      insert into plan_requests (workspace_id, zone_id)
      select distinct workspace_id, zone_id from marked
      returning pg_notify('lumetry_work', 'plan')`,
  });
  return rows.length;
}

/**
 * Takes everything from a collector at once: it was revoked. What it had claimed is somebody
 * else's to do, and its sources are somebody else's to poll.
 */
export async function dismissWorker(
  queries: Queries,
  workspaceId: string,
  collectorId: string,
): Promise<void> {
  // Waits for claims that are being committed, which the next statement then finds.
  await queries.query(
    `with removed as (
       delete from workers where workspace_id = $1 and collector_id = $2
       returning workspace_id, zone_id
     )
     insert into plan_requests (workspace_id, zone_id) select workspace_id, zone_id from removed
     returning pg_notify('lumetry_work', 'plan')`,
    [workspaceId, collectorId],
  );
  const freed = await endClaimsOf(queries, workspaceId, collectorId);
  await queries.query(
    `update source_assignments set ended_at = wall_clock()
     where workspace_id = $1 and collector_id = $2 and ended_at is null`,
    [workspaceId, collectorId],
  );
  await queries.query(
    `update work_items set assigned_to = null where workspace_id = $1 and assigned_to = $2`,
    [workspaceId, collectorId],
  );
  await notify(queries, [...freed.flatMap(topicsOf), workerTopic(workspaceId, collectorId)]);
}

/** How many live collectors of a zone can do something. */
export async function countWorkers(
  queries: Queries,
  workspaceId: string,
  zoneId: string,
  capability: string,
): Promise<number> {
  const { rows } = await queries.query<{ count: number }>(
    `select count(*)::int as count from workers
     where workspace_id = $1 and zone_id = $2 and lease_until > wall_clock()
       and $3 = any(capabilities)`,
    [workspaceId, zoneId, capability],
  );
  return rows[0]?.count ?? 0;
}

/** Prolongs the lease of a worker, unless it ran out. */
export async function renewWorker(
  queries: Queries,
  workspaceId: string,
  collectorId: string,
): Promise<void> {
  await queries.query({
    name: "renew-worker",
    text: `
      update workers set seen_at = wall_clock(),
        lease_until = wall_clock() + ${WORKER_LEASE_MS} * interval '1 ms'
      where workspace_id = $1 and collector_id = $2 and lease_until > wall_clock()`,
    values: [workspaceId, collectorId],
  });
}
