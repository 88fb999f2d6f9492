import { type Selectable, sql } from "kysely";
import { jsonbOf } from "../../lib/text.ts";
import { type Database, wallClock } from "../db/database.ts";
import type { Page } from "../page.ts";
import type { AlertOrigin, AlertState, AlertTables, Severity } from "./table.ts";

export type AlertRow = Selectable<AlertTables["alerts"]>;
export type TransitionRow = Selectable<AlertTables["alert_transitions"]>;
export type NewTransition = Pick<
  TransitionRow,
  "alert_id" | "from_state" | "to_state" | "data_time" | "value" | "reason"
>;

/** What an alert is about: at most one alert of each is open. */
export interface AlertKey {
  origin: AlertOrigin;
  /** The rule's id, or the kind of a system alert. */
  source: string;
  groupKey: string;
}

export const keyOfAlert = (row: AlertRow): AlertKey => ({
  origin: row.origin,
  source: row.rule_id ?? row.system_kind ?? "",
  groupKey: row.group_key,
});

/** The open alerts of these keys, locked until the transaction ends. */
export function lockOpenAlerts(
  transaction: Database,
  workspaceId: string,
  keys: readonly AlertKey[],
): Promise<AlertRow[]> {
  return (
    transaction
      .selectFrom("alerts")
      .selectAll()
      .where("workspace_id", "=", workspaceId)
      .where("state", "<>", "resolved")
      .where(
        sql<boolean>`(origin, coalesce(rule_id, system_kind), group_key) in (
          select * from unnest(
            ${keys.map(({ origin }) => origin)}::text[],
            ${keys.map(({ source }) => source)}::text[],
            ${keys.map(({ groupKey }) => groupKey)}::text[]
          ))`,
      )
      // In one order everywhere, so that no two transactions wait for each other.
      .orderBy("alert_id")
      .forNoKeyUpdate()
      .execute()
  );
}

/** Writes alerts that are new, one statement for all of them. */
export async function insertAlerts(
  transaction: Database,
  alerts: readonly AlertRow[],
): Promise<void> {
  if (alerts.length === 0) return;
  await sql`
    insert into alerts
    select * from jsonb_populate_recordset(null::alerts, ${jsonbOf(alerts)}::jsonb)
  `.execute(transaction);
}

/** Writes what can change of alerts that are there, one statement for all of them. */
export async function updateAlerts(
  transaction: Database,
  alerts: readonly AlertRow[],
): Promise<void> {
  if (alerts.length === 0) return;
  await sql`
    update alerts set
      labels = changed.labels, subject_edge_id = changed.subject_edge_id,
      severity = changed.severity, state = changed.state, summary = changed.summary,
      runbook_url = changed.runbook_url, value = changed.value, evidence = changed.evidence,
      fired_at = changed.fired_at, resolved_at = changed.resolved_at,
      resolve_reason = changed.resolve_reason, suppressed_by = changed.suppressed_by,
      held_until = changed.held_until, told_at = changed.told_at, updated_at = changed.updated_at
    from jsonb_populate_recordset(null::alerts, ${jsonbOf(alerts)}::jsonb) as changed
    where alerts.workspace_id = changed.workspace_id and alerts.alert_id = changed.alert_id
  `.execute(transaction);
}

/** Removes alerts, with their transitions: of those that never fired. */
export async function deleteAlerts(
  transaction: Database,
  workspaceId: string,
  alertIds: readonly string[],
): Promise<void> {
  if (alertIds.length === 0) return;
  await transaction
    .deleteFrom("alerts")
    .where("workspace_id", "=", workspaceId)
    .where("alert_id", "=", sql<string>`any(${alertIds}::text[])`)
    .where("state", "=", "pending")
    .execute();
}

/** Adds to the history of alerts, in this order. */
export async function insertTransitions(
  transaction: Database,
  workspaceId: string,
  transitions: readonly NewTransition[],
): Promise<void> {
  if (transitions.length === 0) return;
  await sql`
    insert into alert_transitions
      (workspace_id, alert_id, from_state, to_state, data_time, value, reason)
    select ${workspaceId}, alert_id, from_state, to_state, data_time, value, reason
    from rows from (
      jsonb_to_recordset(${jsonbOf(transitions)}::jsonb) as (alert_id text, from_state text,
        to_state text, data_time timestamptz, value double precision, reason text)
    ) with ordinality as added (alert_id, from_state, to_state, data_time, value, reason, place)
    order by place
  `.execute(transaction);
}

/** Firing alerts that were held and whose time is over, locked; what somebody else has locked is left to them. */
export function lockReleasable(transaction: Database, workspaceId: string): Promise<AlertRow[]> {
  return transaction
    .selectFrom("alerts")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("state", "=", "firing")
    .where("held_until", "<=", wallClock)
    .where("suppressed_by", "is", null)
    .orderBy("alert_id")
    .forNoKeyUpdate()
    .skipLocked()
    .execute();
}

/** The open alerts of rules. */
export function listOpenOfRules(
  db: Database,
  workspaceId: string,
  ruleIds: readonly string[],
): Promise<AlertRow[]> {
  return db
    .selectFrom("alerts")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("rule_id", "=", sql<string>`any(${ruleIds}::text[])`)
    .where("state", "<>", "resolved")
    .orderBy("alert_id")
    .execute();
}

function selectAlerts(db: Database, workspaceId: string) {
  return db
    .selectFrom("alerts")
    .leftJoin("rules", (join) =>
      join
        .onRef("rules.workspace_id", "=", "alerts.workspace_id")
        .onRef("rules.rule_id", "=", "alerts.rule_id"),
    )
    .selectAll("alerts")
    .select("rules.display_name as rule_name")
    .where("alerts.workspace_id", "=", workspaceId);
}

export type ShownAlert = NonNullable<Awaited<ReturnType<typeof findAlert>>>;

export function findAlert(db: Database, workspaceId: string, alertId: string) {
  return selectAlerts(db, workspaceId).where("alert_id", "=", alertId).executeTakeFirst();
}

export interface AlertFilter {
  states: readonly AlertState[];
  severities: readonly Severity[];
  ruleId: string;
  systemKind: string;
  edgeId: string;
  labels: Readonly<Record<string, string>>;
  unsuppressedOnly: boolean;
}

/** Those that began last first; a page starts after the alert whose id is its key. */
export function listAlerts(db: Database, workspaceId: string, page: Page, filter: AlertFilter) {
  let query = selectAlerts(db, workspaceId)
    .where("state", "in", filter.states)
    .orderBy("started_at", "desc")
    .orderBy("alert_id", "desc")
    .limit(page.size + 1);
  if (filter.severities.length > 0) query = query.where("severity", "in", filter.severities);
  if (filter.ruleId) query = query.where("alerts.rule_id", "=", filter.ruleId);
  if (filter.systemKind) query = query.where("system_kind", "=", filter.systemKind);
  if (filter.edgeId) query = query.where("subject_edge_id", "=", filter.edgeId);
  if (Object.keys(filter.labels).length > 0) {
    query = query.where(sql<boolean>`labels @> ${jsonbOf(filter.labels)}::jsonb`);
  }
  if (filter.unsuppressedOnly) query = query.where("suppressed_by", "is", null);
  const [id = ""] = page.after ?? [];
  if (page.after) {
    query = query.where((where) =>
      where(
        where.refTuple("started_at", "alert_id"),
        "<",
        // The row's own time, since a page token would cut its microseconds off.
        where
          .selectFrom("alerts as last")
          .select(["last.started_at", "last.alert_id"])
          .where("last.workspace_id", "=", workspaceId)
          .where("last.alert_id", "=", id)
          .$asTuple("started_at", "alert_id"),
      ),
    );
  }
  return query.execute();
}

/** What became of an alert, oldest first. */
export function listTransitions(db: Database, workspaceId: string, alertId: string) {
  return db
    .selectFrom("alert_transitions")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("alert_id", "=", alertId)
    .orderBy("transition_id")
    .execute();
}

/** The database's time. */
export async function readClock(db: Database): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select wall_clock() as now`.execute(db);
  return rows[0]?.now ?? new Date();
}
