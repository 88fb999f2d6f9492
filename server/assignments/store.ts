import type pg from "pg";
import type { Queries } from "../db/transaction.ts";
import { inTransaction } from "../db/transaction.ts";
import { type Move, type PlannedSource, planAssignments } from "./plan.ts";

interface Zone {
  workspace_id: string;
  zone_id: string;
}

/**
 * Plans one zone for which somebody asked: its sources are spread over its live collectors that may
 * poll. False when there is none to plan. Any number of servers may do it at once.
 */
export function planOneZone(pool: pg.Pool): Promise<boolean> {
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<Zone>(
      `select workspace_id, zone_id from plan_requests
       order by request_id limit 1 for update skip locked`,
    );
    const [zone] = rows;
    if (!zone) return false;
    await lockZone(client, zone.workspace_id, zone.zone_id);
    // Whoever asked until now is answered by what is read from here on.
    await client.query("delete from plan_requests where workspace_id = $1 and zone_id = $2", [
      zone.workspace_id,
      zone.zone_id,
    ]);
    await planZone(client, zone);
    return true;
  });
}

/** The lock under which sources and assignments of a zone change, taken before all others. */
export async function lockZone(
  queries: Queries,
  workspaceId: string,
  zoneId: string,
): Promise<boolean> {
  const { rows } = await queries.query(
    "select zone_id from zones where workspace_id = $1 and zone_id = $2 for no key update",
    [workspaceId, zoneId],
  );
  return rows.length === 1;
}

/** Asks that a zone be planned; belongs into the transaction that gives the reason. */
export async function requestPlan(
  queries: Queries,
  workspaceId: string,
  zoneId: string,
): Promise<void> {
  await queries.query(
    `insert into plan_requests (workspace_id, zone_id) values ($1, $2)
     returning pg_notify('lumetry_work', 'plan')`,
    [workspaceId, zoneId],
  );
}

async function planZone(queries: Queries, { workspace_id, zone_id }: Zone): Promise<void> {
  const { rows: workers } = await queries.query<{ collector_id: string }>(
    `select collector_id from workers
     where workspace_id = $1 and zone_id = $2 and live and lease_until > wall_clock()
       and 'POLL_SOURCE' = any(capabilities)`,
    [workspace_id, zone_id],
  );
  const { rows: sources } = await queries.query<{ source_id: string; holder: string | null }>(
    `select source_id, work.assigned_to as holder from sources
     join work_items as work on work.workspace_id = sources.workspace_id
       and work.subject_id = sources.source_id
     where sources.workspace_id = $1 and sources.zone_id = $2 and not paused
     order by source_id`,
    [workspace_id, zone_id],
  );
  const planned = sources.map(
    ({ source_id, holder }): PlannedSource => ({
      sourceId: source_id,
      holder: holder ?? undefined,
    }),
  );
  const moves = planAssignments(
    workers.map(({ collector_id }) => collector_id),
    planned,
  );
  if (moves.length > 0) await moveSources(queries, workspace_id, moves);
}

/** Carries moves out: who had a source no longer polls it, who gets it is told. */
async function moveSources(
  queries: Queries,
  workspaceId: string,
  moves: readonly Move[],
): Promise<void> {
  const sourceIds = moves.map(({ sourceId }) => sourceId);
  await endAssignments(queries, workspaceId, sourceIds, { moved: true });
  await queries.query(
    `with moves as (
       select source_id, collector_id,
         row_number() over (partition by collector_id order by source_id) as place
       from unnest($2::text[], $3::text[]) as move (source_id, collector_id)
     ), ${reviseWorkers("moves")}, begun as (
       insert into source_assignments (workspace_id, source_id, collector_id, revision)
       select $1, source_id, collector_id, before + place from moves join revised using (collector_id)
     )
     update work_items set assigned_to = collector_id
     from moves join revised using (collector_id)
     where work_items.workspace_id = $1 and subject_id = moves.source_id`,
    [workspaceId, sourceIds, moves.map(({ to }) => to)],
  );
}

/**
 * Gives each row of `changes` (of a collector, numbered by place) a revision of its own, and wakes
 * the collectors. Their rows stay locked, so that changes are seen in the order of their revisions.
 */
const reviseWorkers = (changes: string): string => `revised as (
  update workers set assignments_revision = assignments_revision + counted.changes
  from (select collector_id, count(*) as changes from ${changes} group by collector_id) as counted
  where workers.workspace_id = $1 and workers.collector_id = counted.collector_id
  returning workers.collector_id, assignments_revision - counted.changes as before,
    pg_notify('lumetry_work', 'worker ' || workers.workspace_id || ' ' || workers.collector_id)
)`;

/** The open assignments of some sources, numbered for each collector. */
const OPEN = `open as (
  select assignment_id, collector_id,
    row_number() over (partition by collector_id order by assignment_id) as place
  from source_assignments
  where workspace_id = $1 and source_id = any($2::text[]) and ended_at is null
)`;

/**
 * Ends who polls these sources, whoever that is; nobody has them then. `moved` when somebody else is given
 * them: who had them may not hear of it, and polls on. Under the lock of the zone.
 */
export async function endAssignments(
  queries: Queries,
  workspaceId: string,
  sourceIds: readonly string[],
  { moved = false } = {},
): Promise<void> {
  await queries.query(
    `with ${OPEN}, ${reviseWorkers("open")}, ended as (
       update source_assignments as assignment set ended_at = wall_clock(), moved = $3,
         revision = coalesce(before + place, revision)
       from open left join revised using (collector_id)
       where assignment.workspace_id = $1 and assignment.assignment_id = open.assignment_id
     )
     update work_items set assigned_to = null
     where workspace_id = $1 and subject_id = any($2::text[])`,
    [workspaceId, sourceIds, moved],
  );
}

/** Tells the holder of a source that something about it has changed. Under the lock of the zone. */
export async function reviseAssignment(
  queries: Queries,
  workspaceId: string,
  sourceId: string,
): Promise<void> {
  await queries.query(
    `with ${OPEN}, ${reviseWorkers("open")}
     update source_assignments as assignment set revision = before + place
     from open join revised using (collector_id)
     where assignment.workspace_id = $1 and assignment.assignment_id = open.assignment_id`,
    [workspaceId, [sourceId]],
  );
}
