import { type Selectable, sql, type UpdateObject } from "kysely";
import { type Database, fromNow, wallClock } from "../db/database.ts";
import { afterNumber, type Page } from "../page.ts";
import type { EdgeKind, EdgeTables } from "./table.ts";

/** Losses are brought to an operator's attention for a day. */
export const RECENT_MS = 86_400_000;

/** What names one edge in the database. */
export interface EdgeKey {
  workspace_id: string;
  edge_id: string;
}

export type LockedEdge = Selectable<EdgeTables["edges"]>;
export type ProcessRow = Selectable<EdgeTables["edge_processes"]>;

/** What is told of every edge, with ages and deadlines judged by the database's clock. */
export function selectEdges(db: Database, workspaceId: string, kind: EdgeKind) {
  return db
    .selectFrom("edges")
    .leftJoin("edge_credentials as credential", (join) =>
      join
        .onRef("credential.workspace_id", "=", "edges.workspace_id")
        .onRef("credential.edge_id", "=", "edges.edge_id")
        .on("credential.state", "=", "active"),
    )
    .leftJoin("edge_configs as config", (join) =>
      join
        .onRef("config.workspace_id", "=", "edges.workspace_id")
        .onRef("config.edge_id", "=", "edges.edge_id")
        .onRef("config.revision", "=", "edges.latest_revision"),
    )
    .selectAll("edges")
    .select([
      "credential.created_at as credential_created_at",
      "config.outcome as config_outcome",
      "config.reason as config_reason",
      "config.ignored_keys as config_ignored_keys",
      "config.profile_revision as config_profile_revision",
    ])
    .select((select) => [
      select
        .selectFrom("edge_configs as offered")
        .whereRef("offered.workspace_id", "=", "edges.workspace_id")
        .whereRef("offered.edge_id", "=", "edges.edge_id")
        .where("offered.offered_at", "is not", null)
        .select((inner) => inner.fn.max("offered.revision").as("revision"))
        .as("offered_revision"),
      select
        .selectFrom("edge_drops as recent")
        .whereRef("recent.workspace_id", "=", "edges.workspace_id")
        .whereRef("recent.edge_id", "=", "edges.edge_id")
        .where("recent.received_at", ">", fromNow(-RECENT_MS))
        .select((inner) =>
          inner.fn.coalesce(inner.fn.sum<bigint>("recent.points"), sql<bigint>`0`).as("points"),
        )
        .as("recently_dropped"),
      wallClock.as("read_at"),
    ])
    .where("edges.workspace_id", "=", workspaceId)
    .where("edges.kind", "=", kind);
}

export type EdgeRow = NonNullable<
  Awaited<ReturnType<ReturnType<typeof selectEdges>["executeTakeFirst"]>>
>;

export function findEdge(db: Database, workspaceId: string, edgeId: string) {
  return db
    .selectFrom("edges")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("edge_id", "=", edgeId)
    .executeTakeFirst();
}

/** Locks an edge's row, under which everything about its identity moves. */
export function lockEdge(db: Database, workspaceId: string, edgeId: string) {
  return db
    .selectFrom("edges")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("edge_id", "=", edgeId)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

export async function rename(db: Database, key: EdgeKey, displayName: string): Promise<void> {
  await updateEdge(db, key, { display_name: displayName });
}

export async function moveToZone(db: Database, key: EdgeKey, zoneId: string): Promise<void> {
  await updateEdge(db, key, { zone_id: zoneId });
}

export async function requestRotation(db: Database, key: EdgeKey): Promise<void> {
  await updateEdge(db, key, { rotation_requested_at: wallClock });
}

/** Ends an identity for good: its status and all its credentials. */
export async function revokeEdge(db: Database, key: EdgeKey): Promise<void> {
  await updateEdge(db, key, {
    status: "revoked",
    revoked_at: wallClock,
    rotation_requested_at: null,
    suspected_at: null,
  });
  await db
    .updateTable("edge_credentials")
    .set({ state: "ended", ended_at: wallClock })
    .where("workspace_id", "=", key.workspace_id)
    .where("edge_id", "=", key.edge_id)
    .where("state", "!=", "ended")
    .execute();
}

export async function updateEdge(
  db: Database,
  key: EdgeKey,
  change: UpdateObject<EdgeTables, "edges">,
): Promise<void> {
  await db
    .updateTable("edges")
    .set(change)
    .where("workspace_id", "=", key.workspace_id)
    .where("edge_id", "=", key.edge_id)
    .execute();
}

/** The processes seen under an edge's credential, newest first. */
export function listProcesses(db: Database, key: EdgeKey): Promise<ProcessRow[]> {
  return db
    .selectFrom("edge_processes")
    .selectAll()
    .where("workspace_id", "=", key.workspace_id)
    .where("edge_id", "=", key.edge_id)
    .orderBy("first_seen_at", "desc")
    .limit(20)
    .execute();
}

/** When it was heard of, newest first. */
export function listContacts(db: Database, key: EdgeKey, page: Page) {
  const after = afterNumber(page);
  let query = db
    .selectFrom("edge_contacts")
    .selectAll()
    .where("workspace_id", "=", key.workspace_id)
    .where("edge_id", "=", key.edge_id)
    .orderBy("contact_number", "desc")
    .limit(page.size + 1);
  if (after !== undefined) query = query.where("contact_number", "<", after);
  return query.execute();
}

/** The ledger of losses, newest first. */
export function listDrops(db: Database, key: EdgeKey, page: Page) {
  const after = afterNumber(page);
  let query = db
    .selectFrom("edge_drops")
    .selectAll()
    .where("workspace_id", "=", key.workspace_id)
    .where("edge_id", "=", key.edge_id)
    .orderBy("drop_number", "desc")
    .limit(page.size + 1);
  if (after !== undefined) query = query.where("drop_number", "<", after);
  return query.execute();
}
