import { sql } from "kysely";
import { hashSecret, type SecretKind } from "../../lib/secret.ts";
import type { Caller } from "../context.ts";
import { type Database, wallClock } from "../db/database.ts";
import { lockEdge, updateEdge } from "../edges/store.ts";
import type { EdgeKind } from "../edges/table.ts";
import { capabilitiesFromNames, roleFromName } from "./names.ts";

/** What a well-formed secret turned out to be. */
export type Lookup =
  | { outcome: "valid"; caller: Caller }
  | { outcome: "unknown" | "expired" | "revoked" };

/** Finds out whose a secret is. Tokens that are redeemed in a body are nobody's credential. */
export function lookUpSecret(db: Database, kind: SecretKind, secret: string): Promise<Lookup> {
  const hash = hashSecret(secret);
  switch (kind) {
    case "lmtss":
      return lookUpSession(db, hash);
    case "lmtut":
      return lookUpAccessToken(db, hash);
    case "lmtik":
      return lookUpIngestionKey(db, hash);
    case "lmtcc":
      return lookUpEdgeCredential(db, "collector", hash);
    case "lmtac":
      return lookUpEdgeCredential(db, "agent", hash);
    default:
      return Promise.resolve({ outcome: "unknown" });
  }
}

async function lookUpSession(db: Database, hash: Buffer): Promise<Lookup> {
  const row = await db
    .selectFrom("sessions")
    .innerJoin("users", (join) =>
      join
        .onRef("users.workspace_id", "=", "sessions.workspace_id")
        .onRef("users.user_id", "=", "sessions.user_id"),
    )
    .select(["users.workspace_id", "users.user_id", "display_name", "role", "disabled"])
    .select(sql<boolean>`sessions.expires_at <= wall_clock()`.as("expired"))
    .where("secret_hash", "=", hash)
    .executeTakeFirst();
  if (!row) return { outcome: "unknown" };
  if (row.expired || row.disabled) return { outcome: "expired" };
  return {
    outcome: "valid",
    caller: {
      kind: "person",
      workspaceId: row.workspace_id,
      userId: row.user_id,
      displayName: row.display_name,
      role: roleFromName(row.role),
      secretHash: hash,
    },
  };
}

async function lookUpAccessToken(db: Database, hash: Buffer): Promise<Lookup> {
  const row = await db
    .selectFrom("access_tokens as token")
    .innerJoin("users", (join) =>
      join
        .onRef("users.workspace_id", "=", "token.workspace_id")
        .onRef("users.user_id", "=", "token.user_id"),
    )
    .select(["users.workspace_id", "users.user_id", "users.display_name", "users.disabled"])
    .select(["users.role as user_role", "token.role as token_role", "token.revoked_at"])
    .select(sql<boolean>`token.expires_at <= wall_clock()`.as("expired"))
    .where("token.secret_hash", "=", hash)
    .executeTakeFirst();
  if (!row) return { outcome: "unknown" };
  if (row.expired || row.revoked_at || row.disabled) return { outcome: "expired" };
  return {
    outcome: "valid",
    caller: {
      kind: "person",
      workspaceId: row.workspace_id,
      userId: row.user_id,
      displayName: row.display_name,
      // A person who was demoted takes their tokens along.
      role: Math.min(roleFromName(row.user_role), roleFromName(row.token_role)),
      secretHash: hash,
    },
  };
}

async function lookUpIngestionKey(db: Database, hash: Buffer): Promise<Lookup> {
  const row = await db
    .selectFrom("ingestion_keys")
    .select(["workspace_id", "ingestion_key_id", "display_name", "labels", "revoked_at"])
    .select(sql<boolean>`coalesce(expires_at <= wall_clock(), false)`.as("expired"))
    .where("secret_hash", "=", hash)
    .executeTakeFirst();
  if (!row) return { outcome: "unknown" };
  if (row.revoked_at) return { outcome: "revoked" };
  if (row.expired) return { outcome: "expired" };
  return {
    outcome: "valid",
    caller: {
      kind: "ingestion_key",
      workspaceId: row.workspace_id,
      ingestionKeyId: row.ingestion_key_id,
      displayName: row.display_name,
      labels: row.labels,
    },
  };
}

async function lookUpEdgeCredential(db: Database, kind: EdgeKind, hash: Buffer): Promise<Lookup> {
  const row = await db
    .selectFrom("edge_credentials as credential")
    .innerJoin("edges", (join) =>
      join
        .onRef("edges.workspace_id", "=", "credential.workspace_id")
        .onRef("edges.edge_id", "=", "credential.edge_id"),
    )
    .leftJoin("collectors", (join) =>
      join
        .onRef("collectors.workspace_id", "=", "edges.workspace_id")
        .onRef("collectors.collector_id", "=", "edges.edge_id"),
    )
    .leftJoin("agents", (join) =>
      join
        .onRef("agents.workspace_id", "=", "edges.workspace_id")
        .onRef("agents.agent_id", "=", "edges.edge_id"),
    )
    .leftJoin("enrollment_profiles as profile", (join) =>
      join
        .onRef("profile.workspace_id", "=", "agents.workspace_id")
        .onRef("profile.profile_id", "=", "agents.profile_id"),
    )
    .select(["edges.workspace_id", "edges.edge_id", "edges.zone_id", "edges.display_name"])
    .select(["edges.status", "credential_id", "state", "granted_capabilities", "profile.labels"])
    .select(sql<boolean>`coalesce(confirm_by <= wall_clock(), false)`.as("too_late"))
    .where("secret_hash", "=", hash)
    .where("edges.kind", "=", kind)
    .executeTakeFirst();
  if (!row) return { outcome: "unknown" };
  if (row.status === "revoked") return { outcome: "revoked" };
  if (row.state === "ended") return { outcome: "expired" };
  if (row.state === "pending") {
    if (row.too_late) return { outcome: "expired" };
    const confirmed = await confirmCredential(db, row);
    if (!confirmed) return lookUpEdgeCredential(db, kind, hash);
  }
  const edge = {
    workspaceId: row.workspace_id,
    edgeId: row.edge_id,
    zoneId: row.zone_id,
    displayName: row.display_name,
    credentialId: row.credential_id,
  };
  const caller: Caller =
    kind === "agent"
      ? { kind, ...edge, labels: row.labels ?? {} }
      : {
          kind,
          ...edge,
          grantedCapabilities: capabilitiesFromNames(row.granted_capabilities ?? []),
        };
  return { outcome: "valid", caller };
}

/**
 * A new credential is confirmed by its first use: it becomes the active one, and the one before
 * it ends. False when somebody else has moved it meanwhile.
 */
function confirmCredential(
  db: Database,
  credential: { workspace_id: string; edge_id: string; credential_id: string },
): Promise<boolean> {
  return db.transaction().execute(async (transaction) => {
    const { workspace_id, edge_id, credential_id } = credential;
    // The edge's row is the lock under which all its credentials move.
    await lockEdge(transaction, workspace_id, edge_id);
    const pending = await transaction
      .selectFrom("edge_credentials")
      .select("credential_id")
      .where("workspace_id", "=", workspace_id)
      .where("credential_id", "=", credential_id)
      .where("state", "=", "pending")
      .where((where) =>
        where.or([where("confirm_by", "is", null), where("confirm_by", ">", wallClock)]),
      )
      .executeTakeFirst();
    if (!pending) return false;
    await transaction
      .updateTable("edge_credentials")
      .set({ state: "ended", ended_at: wallClock })
      .where("workspace_id", "=", workspace_id)
      .where("edge_id", "=", edge_id)
      .where("state", "=", "active")
      .execute();
    await transaction
      .updateTable("edge_credentials")
      .set({ state: "active", confirm_by: null, confirmed_at: wallClock })
      .where("workspace_id", "=", workspace_id)
      .where("credential_id", "=", credential_id)
      .execute();
    await updateEdge(transaction, credential, { rotation_requested_at: null });
    return true;
  });
}
