import { sql } from "kysely";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { startLoop } from "../../lib/loop.ts";
import { forgetAssignments } from "../assignments/sync.ts";
import { keepCatalog } from "../catalog/archive.ts";
import type { Database } from "../db/database.ts";
import { queriesOf } from "../db/transaction.ts";
import { lockProgress } from "../rules/state-store.ts";
import { noteChange } from "../rules/store.ts";

const EVERY_MS = 3_600_000;
/** Of one edge, in the ledger of losses and in the history of its heartbeats. */
const MOST_LINES = 10_000;

/** Removes what can be of no more use to anybody. Safe on any number of servers at once. */
export async function prune(db: Database): Promise<void> {
  await sql`delete from sessions where expires_at < wall_clock()`.execute(db);
  // An ended credential is kept for a while, so that its bearer is told what became of it.
  await sql`
    delete from edge_credentials
    where state = 'ended' and ended_at < wall_clock() - interval '90 days'
  `.execute(db);
  // The ledger of losses outlives the points that it explains; of one edge it has an end as well.
  await sql`
    delete from edge_drops where received_at < wall_clock() - interval '400 days'
  `.execute(db);
  await keepNewest(db, "edge_drops", "drop_number");
  await sql`
    delete from edge_contacts where ended_at < wall_clock() - interval '400 days'
  `.execute(db);
  await keepNewest(db, "edge_contacts", "contact_number");
  await pruneWork(db);
  await pruneIncidents(db);
  await pruneAlerts(db);
}

/** Leaves so many lines of each edge, by their numbers: of one that flaps there would be no end. */
async function keepNewest(db: Database, table: string, number: string): Promise<void> {
  const [lines, count] = [sql.table(table), sql.ref(number)];
  await sql`
    delete from ${lines} using (
      select workspace_id, edge_id,
        (array_agg(${count} order by ${count} desc))[${MOST_LINES}::int] as oldest_kept
      from ${lines} group by workspace_id, edge_id having count(*) > ${MOST_LINES}
    ) as full_list
    where ${lines}.workspace_id = full_list.workspace_id
      and ${lines}.edge_id = full_list.edge_id and ${lines}.${count} < full_list.oldest_kept
  `.execute(db);
}

/** Alerts that ended long ago, with their history; and what rules keep of series that send nothing any more. */
async function pruneAlerts(db: Database): Promise<void> {
  await sql`
    delete from alerts where state = 'resolved' and updated_at < wall_clock() - interval '400 days'
  `.execute(db);
  // Whoever evaluates looks at everything anew then, and ends the alerts of such series.
  const { rows } = await sql<{ workspace_id: string }>`
    select distinct workspace_id from rule_points join series using (workspace_id, series_id)
    where archived_at is not null
  `.execute(db);
  for (const { workspace_id: workspaceId } of rows) {
    await db.transaction().execute(async (transaction) => {
      // First, as evaluation does: else each might wait for what the other holds.
      await lockProgress(transaction, workspaceId);
      await sql`
        delete from rule_points using series
        where rule_points.workspace_id = ${workspaceId} and series.workspace_id = ${workspaceId}
          and series.series_id = rule_points.series_id and archived_at is not null
      `.execute(transaction);
      await noteChange(transaction, workspaceId);
    });
  }
}

/** Incidents outlive the points that they are about; how they were told is of no use for that long. */
async function pruneIncidents(db: Database): Promise<void> {
  await sql`
    delete from incidents where state = 'resolved' and resolved_at < wall_clock() - interval '400 days'
  `.execute(db);
  // What they have in common with later ones matters only for as long as these may open them again.
  await sql`
    delete from incident_ties using incidents
    where incidents.workspace_id = incident_ties.workspace_id
      and incidents.incident_id = incident_ties.incident_id
      and incidents.state = 'resolved' and resolved_at < wall_clock() - interval '1 hour'
  `.execute(db);
  await sql`
    delete from notification_groups where closed_at < wall_clock() - interval '30 days'
  `.execute(db);
  await sql`delete from silences where ends_at < wall_clock() - interval '400 days'`.execute(db);
}

/** Work that has ended: tests that nobody watches any more, messages that arrived or were given up. */
async function pruneWork(db: Database): Promise<void> {
  await sql`
    delete from work_items where kind = 'test' and ended_at < wall_clock() - interval '1 hour'
  `.execute(db);
  // A dead letter is kept longer, so that it can be sent again. Attempts go with their delivery.
  await sql`
    with ended as (
      delete from work_items where kind = 'deliver'
        and ended_at < wall_clock() - case state when 'done' then interval '7 days'
          else interval '30 days' end
      returning workspace_id, subject_id
    )
    delete from deliveries using ended
    where deliveries.workspace_id = ended.workspace_id
      and deliveries.delivery_id = ended.subject_id
  `.execute(db);
  await forgetAssignments(queriesOf(db));
}

/** Prunes at once and then hourly, until it is disposed of. */
export function startPruner(parts: {
  db: Database;
  log: Log;
  clock: Clock;
  /** How long points are kept, and whatever is left of them. */
  retention: { pointsMs: number; allMs: number };
}): AsyncDisposable {
  const { db, log, clock, retention } = parts;
  const stop = new AbortController();
  const round = async (signal: AbortSignal) => {
    await prune(db);
    await keepCatalog(db, retention, signal);
  };
  const loop = startLoop(round, {
    every: () => EVERY_MS,
    jitter: 0.1,
    clock,
    signal: stop.signal,
    onError: (error) => log.warn({ err: error }, "pruning failed and is tried again"),
  });
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await loop.done;
    },
  };
}
