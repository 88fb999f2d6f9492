import { type Selectable, sql, type UpdateObject } from "kysely";
import { makeId } from "../../lib/ids.ts";
import type { AlertRow } from "../alerts/store.ts";
import type { Severity } from "../alerts/table.ts";
import { type Database, type Tables, wallClock } from "../db/database.ts";
import { notFound } from "../problem.ts";
import type { IncidentState, IncidentTables } from "./table.ts";
import { GATHER_MS, REOPEN_MS } from "./ties.ts";

/** An incident that an alert may join. */
export interface Candidate {
  incidentId: string;
  number: bigint;
  title: string;
  state: IncidentState;
  severity: Severity;
  /** It is open, and an alert has joined it of late. */
  gathers: boolean;
  /** It was resolved of late. */
  mayReopen: boolean;
  ties: Set<string>;
}

export interface NewIncident {
  incident: Candidate;
  title: string;
}

export interface NewMember {
  alertId: string;
  incidentId: string;
  reason: string;
}

/**
 * Keeps all others from gathering, telling or changing incidents of a workspace until the transaction ends. Taken
 * before any row of these is.
 */
export async function lockIncidents(transaction: Database, workspaceId: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('incidents ' || ${workspaceId}::text, 0))`.execute(
    transaction,
  );
}

/** Which alerts belong to an incident already, and whether they have ended there. */
export async function findGathered(
  db: Database,
  workspaceId: string,
  alertIds: readonly string[],
): Promise<Map<string, { incidentId: string; ended: boolean }>> {
  const { rows } = await sql<{ alert_id: string; incident_id: string; ended: boolean }>`
    select alert_id, incident_id, ended_at is not null as ended from incident_alerts
    where workspace_id = ${workspaceId} and alert_id = any(${alertIds}::text[])
  `.execute(db);
  return new Map(
    rows.map(({ alert_id, incident_id, ended }) => [alert_id, { incidentId: incident_id, ended }]),
  );
}

/** Incidents with one of these ties that are open, or were until a short while ago; the oldest first. */
export async function findCandidates(
  db: Database,
  workspaceId: string,
  keys: readonly string[],
): Promise<Candidate[]> {
  const { rows } = await sql<{
    incident_id: string;
    number: bigint;
    title: string;
    state: IncidentState;
    severity: Severity;
    gathers: boolean;
    may_reopen: boolean;
    ties: string[];
  }>`
    select incidents.incident_id, number, title, state, severity, array_agg(tie) as ties,
      state <> 'resolved' and joined_at > wall_clock() - ${GATHER_MS} * interval '1 ms' as gathers,
      state = 'resolved' and resolved_at > wall_clock() - ${REOPEN_MS} * interval '1 ms'
        as may_reopen
    from incident_ties join incidents using (workspace_id, incident_id)
    where workspace_id = ${workspaceId} and tie = any(${keys}::text[])
      and (state <> 'resolved' or resolved_at > wall_clock() - ${REOPEN_MS} * interval '1 ms')
    group by incidents.workspace_id, incidents.incident_id order by number
  `.execute(db);
  return rows.map((row) => ({
    incidentId: row.incident_id,
    number: row.number,
    title: row.title,
    state: row.state,
    severity: row.severity,
    gathers: row.gathers,
    mayReopen: row.may_reopen,
    ties: new Set(row.ties),
  }));
}

export const makeCandidate = (number: bigint, alert: AlertRow): Candidate => ({
  incidentId: makeId("inc"),
  number,
  title: alert.summary,
  state: "open",
  severity: alert.severity,
  gathers: true,
  mayReopen: false,
  ties: new Set(),
});

/** The highest number given so far; stays so under the lock. */
export async function lastNumber(db: Database, workspaceId: string): Promise<bigint> {
  const row = await db
    .selectFrom("incidents")
    .select((select) => select.fn.max("number").as("last"))
    .where("workspace_id", "=", workspaceId)
    .executeTakeFirst();
  return row?.last ?? 0n;
}

export async function insertIncidents(
  transaction: Database,
  workspaceId: string,
  opened: readonly NewIncident[],
): Promise<void> {
  if (opened.length === 0) return;
  await sql`
    insert into incidents (workspace_id, incident_id, number, title, severity)
    select ${workspaceId}, * from unnest(
      ${opened.map(({ incident }) => incident.incidentId)}::text[],
      ${opened.map(({ incident }) => incident.number)}::bigint[],
      ${opened.map(({ title }) => title)}::text[],
      ${opened.map(({ incident }) => incident.severity)}::text[])
  `.execute(transaction);
}

/** Puts alerts into incidents, which then know of their ties. One that comes back does not count as ended any more. */
export async function joinIncidents(
  transaction: Database,
  workspaceId: string,
  incidents: readonly Candidate[],
  members: readonly NewMember[],
): Promise<void> {
  await sql`
    insert into incident_alerts (workspace_id, alert_id, incident_id, reason)
    select ${workspaceId}, * from unnest(${members.map(({ alertId }) => alertId)}::text[],
      ${members.map(({ incidentId }) => incidentId)}::text[],
      ${members.map(({ reason }) => reason)}::text[])
    on conflict (workspace_id, alert_id) do update set
      ended_at = null, incident_id = excluded.incident_id, reason = excluded.reason
  `.execute(transaction);
  const ties = incidents.flatMap(({ incidentId, ties }) =>
    [...ties].map((tie) => ({ incidentId, tie })),
  );
  await sql`
    insert into incident_ties (workspace_id, incident_id, tie)
    select ${workspaceId}, * from unnest(${ties.map(({ incidentId }) => incidentId)}::text[],
      ${ties.map(({ tie }) => tie)}::text[])
    on conflict do nothing
  `.execute(transaction);
  await sql`
    update incidents set joined_at = wall_clock(), severity = given.severity
    from unnest(${incidents.map(({ incidentId }) => incidentId)}::text[],
      ${incidents.map(({ severity }) => severity)}::text[]) as given (incident_id, severity)
    where incidents.workspace_id = ${workspaceId} and incidents.incident_id = given.incident_id
  `.execute(transaction);
}

const WORST_FIRST = sql`array['critical', 'warning', 'info']`;

/** An incident is as severe as the worst alert that it has had. */
export async function raiseIncidents(
  transaction: Database,
  workspaceId: string,
  alerts: readonly { incidentId: string; severity: Severity }[],
): Promise<void> {
  await sql`
    update incidents
    set severity = (${WORST_FIRST})[least(rank, array_position(${WORST_FIRST}, incidents.severity))]
    from (
      select incident_id, min(array_position(${WORST_FIRST}, severity)) as rank
      from unnest(${alerts.map(({ incidentId }) => incidentId)}::text[],
        ${alerts.map(({ severity }) => severity)}::text[]) as alert (incident_id, severity)
      group by incident_id
    ) as given
    where incidents.workspace_id = ${workspaceId} and incidents.incident_id = given.incident_id
  `.execute(transaction);
}

/** Opens incidents again; who had acknowledged them has to do so anew. */
export async function reopenIncidents(
  transaction: Database,
  workspaceId: string,
  incidents: readonly Candidate[],
): Promise<void> {
  if (incidents.length === 0) return;
  await transaction
    .updateTable("incidents")
    .set({
      state: "open",
      reopened_at: wallClock,
      reopenings: sql`reopenings + 1`,
      resolved_at: null,
      resolved_by: null,
      acknowledged_at: null,
      acknowledged_by: null,
    })
    .where("workspace_id", "=", workspaceId)
    .where(
      "incident_id",
      "=",
      sql<string>`any(${incidents.map(({ incidentId }) => incidentId)}::text[])`,
    )
    .execute();
}

/** Notes that alerts have ended; answers those that had not. */
export async function endMembers(
  transaction: Database,
  workspaceId: string,
  alertIds: readonly string[],
) {
  return transaction
    .updateTable("incident_alerts")
    .set({ ended_at: wallClock })
    .where("workspace_id", "=", workspaceId)
    .where("alert_id", "=", sql<string>`any(${alertIds}::text[])`)
    .where("ended_at", "is", null)
    .returning(["alert_id", "incident_id"])
    .execute();
}

/** Resolves those of the incidents in which nothing fires any more; answers them. */
export async function resolveFinished(
  transaction: Database,
  workspaceId: string,
  incidentIds: readonly string[],
) {
  return transaction
    .updateTable("incidents")
    .set({ state: "resolved", resolved_at: wallClock })
    .where("workspace_id", "=", workspaceId)
    .where("incident_id", "=", sql<string>`any(${[...new Set(incidentIds)]}::text[])`)
    .where("state", "!=", "resolved")
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom("incident_alerts as member")
            .select("member.alert_id")
            .whereRef("member.workspace_id", "=", "incidents.workspace_id")
            .whereRef("member.incident_id", "=", "incidents.incident_id")
            .where("member.ended_at", "is", null),
        ),
      ),
    )
    .returning(["incident_id", "title"])
    .execute();
}

export type Incident = Selectable<IncidentTables["incidents"]>;

/** An incident as it is; throws when there is none. Under the lock it stays so. */
export async function requireIncident(
  db: Database,
  workspaceId: string,
  incidentId: string,
): Promise<Incident> {
  const row = await db
    .selectFrom("incidents")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("incident_id", "=", incidentId)
    .executeTakeFirst();
  if (!row) throw notFound("incident", incidentId);
  return row;
}

export async function setIncident(
  transaction: Database,
  { workspace_id, incident_id }: Pick<Incident, "workspace_id" | "incident_id">,
  change: UpdateObject<Tables, "incidents">,
): Promise<void> {
  await transaction
    .updateTable("incidents")
    .set(change)
    .where("workspace_id", "=", workspace_id)
    .where("incident_id", "=", incident_id)
    .execute();
}

/** Alerts of an incident that fire. */
export async function listFiringIds(
  db: Database,
  workspaceId: string,
  incidentId: string,
): Promise<string[]> {
  const rows = await db
    .selectFrom("incident_alerts")
    .select("alert_id")
    .where("workspace_id", "=", workspaceId)
    .where("incident_id", "=", incidentId)
    .where("ended_at", "is", null)
    .execute();
  return rows.map(({ alert_id }) => alert_id);
}
