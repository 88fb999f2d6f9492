import { sql } from "kysely";
import type { Severity } from "../alerts/table.ts";
import type { Database } from "../db/database.ts";

/** An alert as routes, silences and receivers know it. */
export interface Subject {
  alertId: string;
  /** The same for every alert of the same rule and group, or kind and subject. */
  key: string;
  /** The name of its rule, or its kind. */
  alertName: string;
  /** Empty for a system alert. */
  ruleId: string;
  /** Of the host that it is about; empty when that is in none, or there is none. */
  clusterId: string;
  severity: Severity;
  /** Its own, `alertname` and `severity`. */
  labels: Record<string, string>;
}

export interface SubjectRow {
  alert_id: string;
  group_key: string;
  rule_id: string | null;
  alert_name: string;
  cluster_id: string | null;
  severity: Severity;
  labels: Record<string, string>;
}

/** What a query selects of `alerts` to make a subject. A cluster that only a label names is found by its name. */
export const subjectColumns = sql`alerts.alert_id, alerts.group_key, alerts.rule_id, alerts.severity, alerts.labels,
  coalesce((select display_name from rules where rules.workspace_id = alerts.workspace_id
    and rules.rule_id = alerts.rule_id), alerts.system_kind, alerts.rule_id) as alert_name,
  coalesce((select cluster_id from agents where agents.workspace_id = alerts.workspace_id
      and agents.agent_id = alerts.subject_edge_id),
    case when alerts.labels ? 'cluster' then (select min(node_id) from topology_nodes as node
      where node.workspace_id = alerts.workspace_id and node.kind = 'cluster'
        and node.display_name = alerts.labels ->> 'cluster'
      having count(*) = 1) end) as cluster_id`;

export const toSubject = (row: SubjectRow): Subject => ({
  alertId: row.alert_id,
  key: JSON.stringify([row.rule_id ?? row.alert_name, row.group_key]),
  alertName: row.alert_name,
  ruleId: row.rule_id ?? "",
  clusterId: row.cluster_id ?? "",
  severity: row.severity,
  labels: { ...row.labels, alertname: row.alert_name, severity: row.severity },
});

/** Alerts of a workspace by their ids; those that are gone are left out. */
export async function findSubjects(
  db: Database,
  workspaceId: string,
  alertIds: readonly string[],
): Promise<Map<string, Subject>> {
  if (alertIds.length === 0) return new Map();
  const { rows } = await sql<SubjectRow>`
    select ${subjectColumns} from alerts
    where workspace_id = ${workspaceId} and alert_id = any(${alertIds}::text[])
  `.execute(db);
  return new Map(rows.map((row) => [row.alert_id, toSubject(row)]));
}
