import type { JsonValue } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { type Database, wallClock } from "../db/database.ts";
import { type EdgeKey, updateEdge } from "../edges/store.ts";

export type TokenHolder = NonNullable<Awaited<ReturnType<typeof lockCollectorByToken>>>;

/** Locks the registration that a token was minted for, so that of many attempts at once one comes first. */
export function lockCollectorByToken(db: Database, tokenHash: Buffer) {
  return db
    .selectFrom("collectors")
    .innerJoin("edges", (join) =>
      join
        .onRef("edges.workspace_id", "=", "collectors.workspace_id")
        .onRef("edges.edge_id", "=", "collectors.collector_id"),
    )
    .select(["edges.workspace_id", "edges.edge_id", "display_name", "status", "enroll_nonce_hash"])
    .select(sql<boolean>`coalesce(token_expires_at <= wall_clock(), true)`.as("token_expired"))
    .where("token_hash", "=", tokenHash)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

export type Profile = NonNullable<Awaited<ReturnType<typeof lockProfileByToken>>>;

/** Locks a profile, so that of many attempts at once each counts. */
export function lockProfileByToken(db: Database, tokenHash: Buffer) {
  return db
    .selectFrom("enrollment_profiles")
    .selectAll()
    .select(sql<boolean>`expires_at <= wall_clock()`.as("expired"))
    .where("token_hash", "=", tokenHash)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

export async function countUse(db: Database, profile: Profile): Promise<void> {
  await db
    .updateTable("enrollment_profiles")
    .set({ uses: sql`uses + 1` })
    .where("workspace_id", "=", profile.workspace_id)
    .where("profile_id", "=", profile.profile_id)
    .execute();
}

/** Whether the edge has ever shown a credential, and so certainly has one. */
export async function hasUsedCredential(db: Database, edge: EdgeKey): Promise<boolean> {
  const used = await db
    .selectFrom("edge_credentials")
    .select("credential_id")
    .where("workspace_id", "=", edge.workspace_id)
    .where("edge_id", "=", edge.edge_id)
    .where("confirmed_at", "is not", null)
    .executeTakeFirst();
  return used !== undefined;
}

/** pending → active; an active one that asks again stays so. */
export function markEnrolled(
  db: Database,
  edge: EdgeKey,
  facts: { nonceHash: Buffer; host: JsonValue; version: string },
): Promise<void> {
  return updateEdge(db, edge, {
    status: "active",
    enroll_nonce_hash: facts.nonceHash,
    enrolled_at: wallClock,
    host: facts.host,
    version: facts.version,
  });
}
