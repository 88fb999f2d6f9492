import { type Selectable, sql } from "kysely";
import type { AccessTables, RoleName } from "../access/table.ts";
import { type Database, fromNow, wallClock } from "../db/database.ts";
import { isFound } from "../db/search.ts";
import type { Page } from "../page.ts";

export type AccessTokenRow = Selectable<AccessTables["access_tokens"]>;

/** Whose tokens: everybody has only their own. */
export interface TokenOwner {
  workspaceId: string;
  userId: string;
}

export function insertAccessToken(
  db: Database,
  owner: TokenOwner,
  token: {
    accessTokenId: string;
    displayName: string;
    role: RoleName;
    secretHash: Buffer;
    lifetimeMs: number;
  },
) {
  return db
    .insertInto("access_tokens")
    .values({
      workspace_id: owner.workspaceId,
      access_token_id: token.accessTokenId,
      user_id: owner.userId,
      display_name: token.displayName,
      role: token.role,
      secret_hash: token.secretHash,
      expires_at: fromNow(token.lifetimeMs),
      revoked_at: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Newest first; a page starts after the token whose id is its key. */
export function listAccessTokens(db: Database, owner: TokenOwner, page: Page, search: string) {
  let query = db
    .selectFrom("access_tokens")
    .selectAll()
    .where("workspace_id", "=", owner.workspaceId)
    .where("user_id", "=", owner.userId)
    .orderBy("created_at", "desc")
    .orderBy("access_token_id", "desc")
    .limit(page.size + 1);
  if (search) {
    query = query.where(isFound(search, { texts: [sql`display_name`], id: sql`access_token_id` }));
  }
  const [id = ""] = page.after ?? [];
  if (page.after) {
    query = query.where((where) =>
      where(
        where.refTuple("created_at", "access_token_id"),
        "<",
        // The row's own time, since a page token would cut its microseconds off.
        where
          .selectFrom("access_tokens as last")
          .select(["last.created_at", "last.access_token_id"])
          .where("last.workspace_id", "=", owner.workspaceId)
          .where("last.access_token_id", "=", id)
          .$asTuple("created_at", "access_token_id"),
      ),
    );
  }
  return query.execute();
}

export function lockAccessToken(db: Database, owner: TokenOwner, accessTokenId: string) {
  return db
    .selectFrom("access_tokens")
    .selectAll()
    .where("workspace_id", "=", owner.workspaceId)
    .where("user_id", "=", owner.userId)
    .where("access_token_id", "=", accessTokenId)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

export function revokeAccessToken(db: Database, token: AccessTokenRow) {
  return db
    .updateTable("access_tokens")
    .set({ revoked_at: wallClock })
    .where("workspace_id", "=", token.workspace_id)
    .where("access_token_id", "=", token.access_token_id)
    .returningAll()
    .executeTakeFirstOrThrow();
}
