import { sql } from "kysely";
import { type Database, fromNow, wallClock } from "../db/database.ts";
import type { UserRow } from "./user-store.ts";

/** Returns when it ends. */
export async function insertSession(
  db: Database,
  user: UserRow,
  secretHash: Buffer,
  lifetimeMs: number,
): Promise<Date> {
  const { expires_at } = await db
    .insertInto("sessions")
    .values({
      secret_hash: secretHash,
      workspace_id: user.workspace_id,
      user_id: user.user_id,
      expires_at: fromNow(lifetimeMs),
    })
    .returning("expires_at")
    .executeTakeFirstOrThrow();
  return expires_at;
}

/** False when there is none of that secret. */
export async function deleteSession(db: Database, secretHash: Buffer): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom("sessions")
    .where("secret_hash", "=", secretHash)
    .executeTakeFirstOrThrow();
  return numDeletedRows > 0n;
}

/**
 * Ends a person's sessions, except the one to keep, and access tokens. Called after their row was
 * changed in the same transaction: its lock lets no new ones slip past.
 */
export async function endCredentials(
  db: Database,
  workspaceId: string,
  userId: string,
  keptSession?: Buffer,
): Promise<void> {
  let others = db
    .deleteFrom("sessions")
    .where("workspace_id", "=", workspaceId)
    .where("user_id", "=", userId);
  if (keptSession) others = others.where("secret_hash", "!=", keptSession);
  await others.execute();
  await db
    .updateTable("access_tokens")
    .set({ revoked_at: wallClock })
    .where("workspace_id", "=", workspaceId)
    .where("user_id", "=", userId)
    .where("revoked_at", "is", null)
    .execute();
}

/** Whether a session or access token is in force at this moment, whatever is remembered of it. */
export async function isInForce(db: Database, secretHash: Buffer): Promise<boolean> {
  const { rows } = await sql<{ in_force: boolean }>`
    select exists (
      select from sessions where secret_hash = ${secretHash} and expires_at > wall_clock()
    ) or exists (
      select from access_tokens
      where secret_hash = ${secretHash} and expires_at > wall_clock() and revoked_at is null
    ) as in_force`.execute(db);
  return rows[0]?.in_force ?? false;
}
