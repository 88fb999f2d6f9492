import { sql } from "kysely";
import { type Database, wallClock } from "../db/database.ts";
import type { EdgeKey } from "../edges/store.ts";
import { afterNumber, type Page } from "../page.ts";

/** Revisions of an edge, with the documents of those that stand for a profile's. */
function selectEdgeConfigs(db: Database, key: EdgeKey) {
  return db
    .selectFrom("edge_configs as config")
    .leftJoin("profile_configs as profile", (join) =>
      join
        .onRef("profile.workspace_id", "=", "config.workspace_id")
        .onRef("profile.profile_id", "=", "config.profile_id")
        .onRef("profile.revision", "=", "config.profile_revision"),
    )
    .select(["config.revision", "config.profile_revision"])
    .select(["config.offered_at", "config.acknowledged_at", "config.outcome", "config.reason"])
    .select(["config.ignored_keys"])
    .select([
      sql<string>`coalesce(config.document, profile.document, '{}')`.as("document"),
      sql<Date>`coalesce(profile.published_at, config.published_at)`.as("published_at"),
      sql<string>`coalesce(profile.published_by, config.published_by)`.as("published_by"),
      sql<bigint>`coalesce(profile.reverted_from, config.reverted_from)`.as("reverted_from"),
    ])
    .where("config.workspace_id", "=", key.workspace_id)
    .where("config.edge_id", "=", key.edge_id);
}

export function findConfig(db: Database, key: EdgeKey, revision: bigint) {
  return selectEdgeConfigs(db, key).where("config.revision", "=", revision).executeTakeFirst();
}

export function findLatestConfig(db: Database, key: EdgeKey) {
  return selectEdgeConfigs(db, key).orderBy("config.revision", "desc").limit(1).executeTakeFirst();
}

/** Newest first. */
export function listConfigs(db: Database, key: EdgeKey, page: Page) {
  const after = afterNumber(page);
  let query = selectEdgeConfigs(db, key)
    .orderBy("config.revision", "desc")
    .limit(page.size + 1);
  if (after !== undefined) query = query.where("config.revision", "<", after);
  return query.execute();
}

/** Stores the next revision of an edge, a document of its own; the caller holds the edge's lock. */
export async function insertConfig(
  db: Database,
  key: EdgeKey,
  config: { revision: bigint; document: string; publishedBy: string; revertedFrom: bigint },
): Promise<void> {
  await raiseLatest(db, key, config.revision);
  await db
    .insertInto("edge_configs")
    .values({
      workspace_id: key.workspace_id,
      edge_id: key.edge_id,
      revision: config.revision,
      document: config.document,
      published_by: config.publishedBy,
      reverted_from: config.revertedFrom,
    })
    .execute();
  await setSource(db, key, { has_own_config: true, profile_revision: null });
}

/** Lets the profile's configuration apply to an agent again; the next `settleRevision` allots it. */
export function withdrawOwn(db: Database, key: EdgeKey): Promise<void> {
  return setSource(db, key, { has_own_config: false, profile_revision: null });
}

/** Whether an agent has a document of its own; undefined when the edge is no agent. */
export async function hasOwnConfig(db: Database, key: EdgeKey): Promise<boolean | undefined> {
  const row = await db
    .selectFrom("agents")
    .select("has_own_config")
    .where("workspace_id", "=", key.workspace_id)
    .where("agent_id", "=", key.edge_id)
    .executeTakeFirst();
  return row?.has_own_config;
}

/**
 * The latest revision of an edge. An agent that runs on its profile's configuration gets a
 * revision of its own for what is new there only now that it asks, so that to publish for a
 * profile costs nothing per agent. The caller holds the edge's lock.
 */
export async function settleRevision(
  db: Database,
  edge: EdgeKey & { latest_revision: bigint },
): Promise<bigint> {
  const profile = await findUnsettledProfile(db, edge);
  if (!profile) return edge.latest_revision;
  const revision = edge.latest_revision + 1n;
  await raiseLatest(db, edge, revision);
  await db
    .insertInto("edge_configs")
    .values({
      workspace_id: edge.workspace_id,
      edge_id: edge.edge_id,
      revision,
      profile_id: profile.profile_id,
      profile_revision: profile.latest_revision,
      published_by: "",
    })
    .execute();
  await setSource(db, edge, { profile_revision: profile.latest_revision });
  return revision;
}

/** The profile that has something new for an agent; undefined when there is nothing new. */
export function findUnsettledProfile(db: Database, key: EdgeKey) {
  return db
    .selectFrom("agents")
    .innerJoin("enrollment_profiles as profile", (join) =>
      join
        .onRef("profile.workspace_id", "=", "agents.workspace_id")
        .onRef("profile.profile_id", "=", "agents.profile_id"),
    )
    .select(["profile.profile_id", "profile.latest_revision"])
    .where("agents.workspace_id", "=", key.workspace_id)
    .where("agents.agent_id", "=", key.edge_id)
    .where("agents.has_own_config", "=", false)
    .where(sql<boolean>`agents.profile_revision is distinct from profile.latest_revision`)
    .executeTakeFirst();
}

async function raiseLatest(db: Database, key: EdgeKey, revision: bigint): Promise<void> {
  await db
    .updateTable("edges")
    .set({ latest_revision: revision })
    .where("workspace_id", "=", key.workspace_id)
    .where("edge_id", "=", key.edge_id)
    .execute();
}

async function setSource(
  db: Database,
  key: EdgeKey,
  source: { has_own_config?: boolean; profile_revision: bigint | null },
): Promise<void> {
  await db
    .updateTable("agents")
    .set(source)
    .where("workspace_id", "=", key.workspace_id)
    .where("agent_id", "=", key.edge_id)
    .execute();
}

/** Notes that the edge was handed a revision; the first time counts. */
export async function recordOffer(db: Database, key: EdgeKey, revision: bigint): Promise<void> {
  await db
    .updateTable("edge_configs")
    .set({ offered_at: wallClock })
    .where("workspace_id", "=", key.workspace_id)
    .where("edge_id", "=", key.edge_id)
    .where("revision", "=", revision)
    .where("offered_at", "is", null)
    .execute();
}

/** Notes what the edge made of a revision. False when it was never offered that one. */
export async function recordOutcome(
  db: Database,
  key: EdgeKey,
  revision: bigint,
  result: {
    outcome: "applied" | "rejected";
    reason: string;
    ignoredKeys: string[];
    runningRevision: bigint;
  },
): Promise<boolean> {
  const updated = await db
    .updateTable("edge_configs")
    .set({
      acknowledged_at: wallClock,
      outcome: result.outcome,
      reason: result.reason,
      ignored_keys: result.ignoredKeys,
    })
    .where("workspace_id", "=", key.workspace_id)
    .where("edge_id", "=", key.edge_id)
    .where("revision", "=", revision)
    .where("offered_at", "is not", null)
    .returning("revision")
    .executeTakeFirst();
  if (!updated) return false;
  await db
    .updateTable("edges")
    .set({ running_revision: result.runningRevision })
    .where("workspace_id", "=", key.workspace_id)
    .where("edge_id", "=", key.edge_id)
    .execute();
  return true;
}
