import { type Selectable, sql } from "kysely";
import type { AccessTables } from "../access/table.ts";
import { type Database, fromNow, wallClock } from "../db/database.ts";
import { isFound } from "../db/search.ts";
import type { Page } from "../page.ts";

export type IngestionKeyRow = Selectable<AccessTables["ingestion_keys"]>;

export function insertIngestionKey(
  db: Database,
  workspaceId: string,
  key: {
    ingestionKeyId: string;
    displayName: string;
    labels: Record<string, string>;
    secretHash: Buffer;
    /** Never ends when undefined. */
    lifetimeMs: number | undefined;
  },
) {
  return db
    .insertInto("ingestion_keys")
    .values({
      workspace_id: workspaceId,
      ingestion_key_id: key.ingestionKeyId,
      display_name: key.displayName,
      labels: key.labels,
      secret_hash: key.secretHash,
      expires_at: key.lifetimeMs === undefined ? null : fromNow(key.lifetimeMs),
      revoked_at: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Newest first; a page starts after the key whose id is its key. */
export function listIngestionKeys(db: Database, workspaceId: string, page: Page, search: string) {
  let query = db
    .selectFrom("ingestion_keys")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .orderBy("created_at", "desc")
    .orderBy("ingestion_key_id", "desc")
    .limit(page.size + 1);
  if (search) {
    query = query.where(isFound(search, { texts: [sql`display_name`], id: sql`ingestion_key_id` }));
  }
  const [id = ""] = page.after ?? [];
  if (page.after) {
    query = query.where((where) =>
      where(
        where.refTuple("created_at", "ingestion_key_id"),
        "<",
        // The row's own time, since a page token would cut its microseconds off.
        where
          .selectFrom("ingestion_keys as last")
          .select(["last.created_at", "last.ingestion_key_id"])
          .where("last.workspace_id", "=", workspaceId)
          .where("last.ingestion_key_id", "=", id)
          .$asTuple("created_at", "ingestion_key_id"),
      ),
    );
  }
  return query.execute();
}

export function lockIngestionKey(db: Database, workspaceId: string, ingestionKeyId: string) {
  return db
    .selectFrom("ingestion_keys")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("ingestion_key_id", "=", ingestionKeyId)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

export function revokeIngestionKey(db: Database, key: IngestionKeyRow) {
  return db
    .updateTable("ingestion_keys")
    .set({ revoked_at: wallClock })
    .where("workspace_id", "=", key.workspace_id)
    .where("ingestion_key_id", "=", key.ingestion_key_id)
    .returningAll()
    .executeTakeFirstOrThrow();
}
