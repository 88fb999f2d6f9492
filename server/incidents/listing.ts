import { sql } from "kysely";
import type { Severity } from "../alerts/table.ts";
import { type Database, wallClock } from "../db/database.ts";
import { type SubjectRow, subjectColumns } from "../notifications/subjects.ts";
import { afterNumber, type Page } from "../page.ts";
import type { IncidentState } from "./table.ts";

const MOST_ALERTS = 200;

function selectIncidents(db: Database, workspaceId: string) {
  const nameOf = (column: "acknowledged_by" | "assignee_id" | "resolved_by") =>
    sql<
      string | null
    >`(select display_name from users where users.workspace_id = incidents.workspace_id
      and users.user_id = ${sql.ref(`incidents.${column}`)})`;
  const count = (condition: ReturnType<typeof sql>) =>
    sql<number>`(select count(*)::int from incident_alerts as member
      where member.workspace_id = incidents.workspace_id
        and member.incident_id = incidents.incident_id and ${condition})`;
  return db
    .selectFrom("incidents")
    .selectAll()
    .select([
      nameOf("acknowledged_by").as("acknowledged_by_name"),
      nameOf("assignee_id").as("assignee_name"),
      nameOf("resolved_by").as("resolved_by_name"),
      count(sql`true`).as("alerts"),
      count(sql`ended_at is null`).as("firing"),
    ])
    .where("incidents.workspace_id", "=", workspaceId);
}

export type IncidentRow = NonNullable<Awaited<ReturnType<typeof findIncident>>>;

export const findIncident = (db: Database, workspaceId: string, incidentId: string) =>
  selectIncidents(db, workspaceId).where("incident_id", "=", incidentId).executeTakeFirst();

/** Newest first; a page starts after the number that is its key. */
export function listIncidents(
  db: Database,
  workspaceId: string,
  page: Page,
  filter: {
    states: readonly IncidentState[];
    severities: readonly Severity[];
    assigneeId: string;
    search: string;
    since: Date | undefined;
    number: bigint;
  },
) {
  const after = afterNumber(page);
  let query = selectIncidents(db, workspaceId)
    .orderBy("number", "desc")
    .limit(page.size + 1);
  if (after !== undefined) query = query.where("number", "<", after);
  if (filter.states.length > 0) query = query.where("state", "in", filter.states);
  if (filter.severities.length > 0) query = query.where("severity", "in", filter.severities);
  if (filter.number > 0n) query = query.where("number", "=", filter.number);
  if (filter.assigneeId) query = query.where("assignee_id", "=", filter.assigneeId);
  if (filter.search) {
    query = query.where(sql<boolean>`strpos(lower(title), lower(${filter.search}::text)) > 0`);
  }
  if (filter.since) {
    query = query.where(sql`coalesce(resolved_at, ${wallClock})`, ">=", filter.since);
  }
  return query.execute();
}

export type MemberRow = SubjectRow & {
  summary: string;
  runbook_url: string;
  fired_at: Date;
  resolved_at: Date | null;
  joined_at: Date;
  reason: string;
  fires: boolean;
};

/** Those that fire first, then the latest. */
export async function listMembers(
  db: Database,
  workspaceId: string,
  incidentId: string,
): Promise<MemberRow[]> {
  const { rows } = await sql<MemberRow>`
    select ${subjectColumns}, summary, runbook_url, coalesce(fired_at, started_at) as fired_at,
      alerts.resolved_at, joined_at, reason, ended_at is null as fires
    from incident_alerts join alerts using (workspace_id, alert_id)
    where workspace_id = ${workspaceId} and incident_id = ${incidentId}
    order by ended_at is not null, joined_at desc, alert_id limit ${MOST_ALERTS}
  `.execute(db);
  return rows;
}

/** Newest first; a page starts after the event whose number is its key. */
export function listEvents(db: Database, workspaceId: string, incidentId: string, page: Page) {
  const after = afterNumber(page);
  let query = db
    .selectFrom("incident_events")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("incident_id", "=", incidentId)
    .orderBy("event_id", "desc")
    .limit(page.size + 1);
  if (after !== undefined) query = query.where("event_id", "<", after);
  return query.execute();
}
