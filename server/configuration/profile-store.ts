import { sql } from "kysely";
import type { Database } from "../db/database.ts";
import { afterNumber, type Page } from "../page.ts";

export interface ProfileKey {
  workspace_id: string;
  profile_id: string;
}

/** Revisions of a profile, with how many agents have said what became of them. */
function selectProfileConfigs(db: Database, key: ProfileKey) {
  const agents = (outcome: "applied" | "rejected") =>
    db
      .selectFrom("edge_configs")
      .whereRef("edge_configs.workspace_id", "=", sql.ref("config.workspace_id"))
      .whereRef("edge_configs.profile_id", "=", sql.ref("config.profile_id"))
      .whereRef("edge_configs.profile_revision", "=", sql.ref("config.revision"))
      .where("edge_configs.outcome", "=", outcome)
      .select((select) => select.fn.countAll<bigint>().as("count"));
  return db
    .selectFrom("profile_configs as config")
    .selectAll("config")
    .select([agents("applied").as("applied_agents"), agents("rejected").as("rejected_agents")])
    .where("config.workspace_id", "=", key.workspace_id)
    .where("config.profile_id", "=", key.profile_id);
}

export function findConfig(db: Database, key: ProfileKey, revision: bigint) {
  return selectProfileConfigs(db, key).where("config.revision", "=", revision).executeTakeFirst();
}

export function findLatestConfig(db: Database, key: ProfileKey) {
  return selectProfileConfigs(db, key)
    .orderBy("config.revision", "desc")
    .limit(1)
    .executeTakeFirst();
}

/** Newest first. */
export function listConfigs(db: Database, key: ProfileKey, page: Page) {
  const after = afterNumber(page);
  let query = selectProfileConfigs(db, key)
    .orderBy("config.revision", "desc")
    .limit(page.size + 1);
  if (after !== undefined) query = query.where("config.revision", "<", after);
  return query.execute();
}

/** Stores the next revision; the caller holds the profile's lock. */
export async function insertConfig(
  db: Database,
  key: ProfileKey,
  config: { revision: bigint; document: string; publishedBy: string; revertedFrom: bigint },
): Promise<void> {
  await db
    .updateTable("enrollment_profiles")
    .set({ latest_revision: config.revision })
    .where("workspace_id", "=", key.workspace_id)
    .where("profile_id", "=", key.profile_id)
    .execute();
  await db
    .insertInto("profile_configs")
    .values({
      workspace_id: key.workspace_id,
      profile_id: key.profile_id,
      revision: config.revision,
      document: config.document,
      published_by: config.publishedBy,
      reverted_from: config.revertedFrom,
    })
    .execute();
}
