import { type InsertObject, type Selectable, sql, type UpdateObject } from "kysely";
import type { AccessTables, RoleName } from "../access/table.ts";
import { type Database, fromNow, type Tables, wallClock } from "../db/database.ts";
import { isFound } from "../db/search.ts";
import type { Page } from "../page.ts";

export type UserRow = Selectable<AccessTables["users"]>;

const INVITATION_LIFETIME_MS = 7 * 86_400_000;

interface NewUser {
  workspaceId: string;
  userId: string;
  email: string;
  displayName: string;
  role: RoleName;
}

/** Somebody who sets their password with the invitation. */
export function insertInvitedUser(db: Database, user: NewUser, invitationHash: Buffer) {
  return insertUser(db, user, {
    password_hash: null,
    invitation_hash: invitationHash,
    invitation_expires_at: fromNow(INVITATION_LIFETIME_MS),
    last_sign_in_at: null,
  });
}

/** Somebody who signs in right now. */
export function insertActiveUser(db: Database, user: NewUser, passwordHash: string) {
  return insertUser(db, user, {
    password_hash: passwordHash,
    invitation_hash: null,
    invitation_expires_at: null,
    last_sign_in_at: wallClock,
  });
}

function insertUser(
  db: Database,
  user: NewUser,
  way: Pick<
    InsertObject<Tables, "users">,
    "password_hash" | "invitation_hash" | "invitation_expires_at" | "last_sign_in_at"
  >,
) {
  return db
    .insertInto("users")
    .values({
      workspace_id: user.workspaceId,
      user_id: user.userId,
      email: user.email,
      display_name: user.displayName,
      role: user.role,
      ...way,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

export function findUser(db: Database, workspaceId: string, userId: string) {
  return db
    .selectFrom("users")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("user_id", "=", userId)
    .executeTakeFirst();
}

/** Locks a person's row, under which their password, invitation, role and credentials move. */
export function lockUser(db: Database, workspaceId: string, userId: string) {
  return db
    .selectFrom("users")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("user_id", "=", userId)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

/** In whichever workspace they are; addresses are plain ASCII and compared without regard to case. */
export function findUserByEmail(db: Database, email: string) {
  return db
    .selectFrom("users")
    .selectAll()
    .where(sql`lower(email)`, "=", email.toLowerCase())
    .executeTakeFirst();
}

/** Of all workspaces, oldest first. */
export function listOwners(db: Database) {
  return db
    .selectFrom("users")
    .selectAll()
    .where("role", "=", "owner")
    .orderBy("created_at")
    .execute();
}

export function findUserByInvitation(db: Database, hash: Buffer) {
  return db
    .selectFrom("users")
    .select(["email", "disabled"])
    .select(sql<boolean>`invitation_expires_at <= wall_clock()`.as("expired"))
    .where("invitation_hash", "=", hash)
    .executeTakeFirst();
}

/** By e-mail address, without regard to case. */
export function listUsers(db: Database, workspaceId: string, page: Page, search: string) {
  let query = db
    .selectFrom("users")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .orderBy(sql`lower(email)`)
    .limit(page.size + 1);
  if (search) {
    const texts = [sql`display_name`, sql`email`];
    query = query.where(isFound(search, { texts, id: sql`user_id` }));
  }
  if (page.after) query = query.where(sql`lower(email)`, ">", sql`lower(${page.after[0]})`);
  return query.execute();
}

/** Whether somebody else of these roles can sign in; asked under the workspace's lock. */
export async function isThereAnother(
  db: Database,
  workspaceId: string,
  userId: string,
  roles: RoleName[],
): Promise<boolean> {
  const other = await db
    .selectFrom("users")
    .select("user_id")
    .where("workspace_id", "=", workspaceId)
    .where("user_id", "!=", userId)
    .where("role", "in", roles)
    .where("disabled", "=", false)
    .where("password_hash", "is not", null)
    .limit(1)
    .executeTakeFirst();
  return other !== undefined;
}

/** Disabling voids the invitation too. */
export function updateUser(
  db: Database,
  workspaceId: string,
  userId: string,
  change: {
    displayName?: string | undefined;
    role?: RoleName | undefined;
    disabled?: boolean | undefined;
  },
) {
  const { displayName, role, disabled } = change;
  return (
    db
      .updateTable("users")
      // An empty change still finds the row.
      .set({
        user_id: userId,
        ...(displayName !== undefined && { display_name: displayName }),
        ...(role !== undefined && { role }),
        ...(disabled !== undefined && { disabled }),
        ...(disabled && { invitation_hash: null, invitation_expires_at: null }),
      })
      .where("workspace_id", "=", workspaceId)
      .where("user_id", "=", userId)
      .returningAll()
      .executeTakeFirstOrThrow()
  );
}

/** Voids the invitation before it. */
export function replaceInvitation(db: Database, workspaceId: string, userId: string, hash: Buffer) {
  return db
    .updateTable("users")
    .set({ invitation_hash: hash, invitation_expires_at: fromNow(INVITATION_LIFETIME_MS) })
    .where("workspace_id", "=", workspaceId)
    .where("user_id", "=", userId)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Spends an invitation; undefined when it is not valid, or no more. */
export function acceptInvitation(db: Database, hash: Buffer, passwordHash: string) {
  return db
    .updateTable("users")
    .set({
      password_hash: passwordHash,
      invitation_hash: null,
      invitation_expires_at: null,
      last_sign_in_at: wallClock,
    })
    .where("invitation_hash", "=", hash)
    .where("invitation_expires_at", ">", wallClock)
    .where("disabled", "=", false)
    .returningAll()
    .executeTakeFirst();
}

/** Notes a sign-in; undefined when the password or the right to use it has gone since the check. */
export function noteSignIn(db: Database, checked: UserRow) {
  return updateUnchanged(db, checked, { last_sign_in_at: wallClock });
}

/** Voids an open invitation too; undefined when another change was first. */
export function replacePassword(db: Database, checked: UserRow, passwordHash: string) {
  return updateUnchanged(db, checked, {
    password_hash: passwordHash,
    invitation_hash: null,
    invitation_expires_at: null,
  });
}

function updateUnchanged(db: Database, checked: UserRow, change: UpdateObject<Tables, "users">) {
  return db
    .updateTable("users")
    .set(change)
    .where("workspace_id", "=", checked.workspace_id)
    .where("user_id", "=", checked.user_id)
    .where("password_hash", "=", checked.password_hash)
    .where("disabled", "=", false)
    .returningAll()
    .executeTakeFirst();
}
