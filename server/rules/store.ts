import type { JsonValue } from "@bufbuild/protobuf";
import { type Selectable, sql } from "kysely";
import { type Database, wallClock } from "../db/database.ts";
import { isFound } from "../db/search.ts";
import type { Page } from "../page.ts";
import type { RuleTables } from "./table.ts";

export type RuleRow = Selectable<RuleTables["rules"]>;

function selectRules(db: Database, workspaceId: string) {
  // As the index of open alerts has it, which does not grow with the history.
  const count = (state: string) => sql<bigint>`(
    select count(*) from alerts where alerts.workspace_id = rules.workspace_id
      and alerts.origin = 'rule' and coalesce(alerts.rule_id, alerts.system_kind) = rules.rule_id
      and alerts.state <> 'resolved' and alerts.state = ${state})`;
  return db
    .selectFrom("rules")
    .selectAll()
    .select([count("pending").as("pending_alerts"), count("firing").as("firing_alerts")])
    .where("workspace_id", "=", workspaceId);
}

export type ShownRule = NonNullable<Awaited<ReturnType<typeof findRule>>>;

export function findRule(db: Database, workspaceId: string, ruleId: string) {
  return selectRules(db, workspaceId).where("rule_id", "=", ruleId).executeTakeFirst();
}

/** By name, without regard to case. */
export function listRules(db: Database, workspaceId: string, page: Page, search: string) {
  let query = selectRules(db, workspaceId)
    .orderBy(sql`lower(display_name)`)
    .limit(page.size + 1);
  if (search) {
    query = query.where(isFound(search, { texts: [sql`display_name`], id: sql`rule_id` }));
  }
  if (page.after) query = query.where(sql`lower(display_name)`, ">", sql`lower(${page.after[0]})`);
  return query.execute();
}

/** All rules, locked with the right to change any: evaluation waits until the transaction ends. */
export async function lockRules(transaction: Database, workspaceId: string): Promise<RuleRow[]> {
  await sql`
    insert into rule_progress (workspace_id) values (${workspaceId}) on conflict do nothing
  `.execute(transaction);
  await sql`
    select from rule_progress where workspace_id = ${workspaceId} for no key update
  `.execute(transaction);
  return transaction
    .selectFrom("rules")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .orderBy(sql`lower(display_name)`)
    .execute();
}

/** Has rules evaluated anew as they are now; belongs into each transaction that changes any. */
export async function noteChange(transaction: Database, workspaceId: string): Promise<void> {
  await sql`
    update rule_progress set rules_revision = rules_revision + 1
    where workspace_id = ${workspaceId}
  `.execute(transaction);
}

export function insertRule(
  transaction: Database,
  rule: {
    workspaceId: string;
    ruleId: string;
    displayName: string;
    document: JsonValue;
    enabled: boolean;
  },
): Promise<RuleRow> {
  return transaction
    .insertInto("rules")
    .values({
      workspace_id: rule.workspaceId,
      rule_id: rule.ruleId,
      display_name: rule.displayName,
      document: JSON.stringify(rule.document),
      enabled: rule.enabled,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

export function updateRule(
  transaction: Database,
  { workspace_id, rule_id }: RuleRow,
  change: { displayName: string; document: JsonValue; enabled: boolean },
): Promise<RuleRow> {
  return transaction
    .updateTable("rules")
    .set({
      display_name: change.displayName,
      document: JSON.stringify(change.document),
      enabled: change.enabled,
      revision: sql`revision + 1`,
      updated_at: wallClock,
    })
    .where("workspace_id", "=", workspace_id)
    .where("rule_id", "=", rule_id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** With what evaluation keeps of it. */
export async function deleteRule(
  transaction: Database,
  { workspace_id, rule_id }: RuleRow,
): Promise<void> {
  await transaction
    .deleteFrom("rules")
    .where("workspace_id", "=", workspace_id)
    .where("rule_id", "=", rule_id)
    .execute();
}

/** Evaluation begins anew for a rule, but for these groups. */
export async function beginAnew(
  transaction: Database,
  { workspace_id, rule_id }: RuleRow,
  keptGroups: readonly string[],
): Promise<void> {
  await transaction
    .updateTable("rules")
    .set({ judged_since: wallClock })
    .where("workspace_id", "=", workspace_id)
    .where("rule_id", "=", rule_id)
    .execute();
  await transaction
    .deleteFrom("rule_states")
    .where("workspace_id", "=", workspace_id)
    .where("rule_id", "=", rule_id)
    .where("group_key", "<>", sql<string>`all(${keptGroups}::text[])`)
    .execute();
}

export interface EdgePlace {
  kind: "agent" | "collector";
  name: string;
  zone: string;
  cluster: string | null;
}

/** What collectors and agents are called, and where they are. */
export async function describeEdges(
  db: Database,
  workspaceId: string,
  edgeIds: readonly string[],
): Promise<Map<string, EdgePlace>> {
  const { rows } = await sql<EdgePlace & { edge_id: string }>`
    select edges.edge_id, edges.kind, edges.display_name as name, zones.display_name as zone,
      topology_nodes.display_name as cluster
    from edges join zones using (workspace_id, zone_id)
    left join agents on agents.workspace_id = edges.workspace_id and agent_id = edge_id
    left join topology_nodes on topology_nodes.workspace_id = edges.workspace_id
      and node_id = cluster_id
    where edges.workspace_id = ${workspaceId} and edges.edge_id = any(${edgeIds}::text[])
  `.execute(db);
  return new Map(rows.map(({ edge_id, ...place }) => [edge_id, place]));
}
