import { type Selectable, sql } from "kysely";
import { type Database, fromNow, wallClock } from "../db/database.ts";
import { isFound } from "../db/search.ts";
import type { Page } from "../page.ts";
import type { ProfileTables } from "./table.ts";

export type ProfileRow = Selectable<ProfileTables["enrollment_profiles"]> & { read_at: Date };

const selectProfiles = (db: Database, workspaceId: string) =>
  db
    .selectFrom("enrollment_profiles")
    .selectAll()
    .select(wallClock.as("read_at"))
    .where("workspace_id", "=", workspaceId);

export function findProfile(
  db: Database,
  workspaceId: string,
  profileId: string,
): Promise<ProfileRow | undefined> {
  return selectProfiles(db, workspaceId).where("profile_id", "=", profileId).executeTakeFirst();
}

export function lockProfile(
  db: Database,
  workspaceId: string,
  profileId: string,
): Promise<ProfileRow | undefined> {
  return selectProfiles(db, workspaceId)
    .where("profile_id", "=", profileId)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

/** Newest first; a page starts after the profile whose id is its key. */
export function listProfiles(
  db: Database,
  workspaceId: string,
  page: Page,
  search: string,
): Promise<ProfileRow[]> {
  let query = selectProfiles(db, workspaceId)
    .orderBy("created_at", "desc")
    .orderBy("profile_id", "desc")
    .limit(page.size + 1);
  if (search) {
    query = query.where(isFound(search, { texts: [sql`display_name`], id: sql`profile_id` }));
  }
  const [id = ""] = page.after ?? [];
  if (page.after) {
    query = query.where((where) =>
      where(
        where.refTuple("created_at", "profile_id"),
        "<",
        // The row's own time, since a page token would cut its microseconds off.
        where
          .selectFrom("enrollment_profiles as last")
          .select(["last.created_at", "last.profile_id"])
          .where("last.workspace_id", "=", workspaceId)
          .where("last.profile_id", "=", id)
          .$asTuple("created_at", "profile_id"),
      ),
    );
  }
  return query.execute();
}

export function insertProfile(
  db: Database,
  profile: {
    workspaceId: string;
    profileId: string;
    displayName: string;
    tokenHash: Buffer;
    zoneId: string;
    clusterId: string | null;
    labels: Record<string, string>;
    maxUses: number;
    lifetimeMs: number;
  },
): Promise<ProfileRow> {
  return db
    .insertInto("enrollment_profiles")
    .values({
      workspace_id: profile.workspaceId,
      profile_id: profile.profileId,
      display_name: profile.displayName,
      token_hash: profile.tokenHash,
      zone_id: profile.zoneId,
      cluster_id: profile.clusterId,
      labels: profile.labels,
      max_uses: BigInt(profile.maxUses),
      expires_at: fromNow(profile.lifetimeMs),
    })
    .returningAll()
    .returning(wallClock.as("read_at"))
    .executeTakeFirstOrThrow();
}

export async function disableProfile(db: Database, profile: ProfileRow): Promise<void> {
  await db
    .updateTable("enrollment_profiles")
    .set({ disabled_at: sql`coalesce(disabled_at, wall_clock())` })
    .where("workspace_id", "=", profile.workspace_id)
    .where("profile_id", "=", profile.profile_id)
    .execute();
}
