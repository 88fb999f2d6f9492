import type { JsonValue } from "@bufbuild/protobuf";
import type { Capability } from "../../gen/lumetry/access/v1/access_pb.js";
import { capabilityName } from "../access/names.ts";
import { type Database, fromNow } from "../db/database.ts";
import { type EdgeKey, selectEdges } from "../edges/store.ts";

/** Everything that a Collector message tells. */
export function selectCollectors(db: Database, workspaceId: string) {
  return selectEdges(db, workspaceId, "collector")
    .innerJoin("collectors", (join) =>
      join
        .onRef("collectors.workspace_id", "=", "edges.workspace_id")
        .onRef("collectors.collector_id", "=", "edges.edge_id"),
    )
    .select(["granted_capabilities", "token_expires_at", "relay"])
    .select((select) =>
      select
        .selectFrom("agents as behind")
        .innerJoin("edges as host", (join) =>
          join
            .onRef("host.workspace_id", "=", "behind.workspace_id")
            .onRef("host.edge_id", "=", "behind.agent_id")
            .on("host.status", "!=", "revoked"),
        )
        .whereRef("behind.workspace_id", "=", "edges.workspace_id")
        .whereRef("behind.relay_id", "=", "edges.edge_id")
        .select((inner) => inner.fn.countAll<bigint>().as("count"))
        .as("relayed_agents"),
    );
}

export type CollectorRow = NonNullable<Awaited<ReturnType<typeof findCollector>>>;

export function findCollector(db: Database, workspaceId: string, collectorId: string) {
  return selectCollectors(db, workspaceId)
    .where("edges.edge_id", "=", collectorId)
    .executeTakeFirst();
}

export async function insertCollector(
  db: Database,
  collector: {
    workspaceId: string;
    collectorId: string;
    zoneId: string;
    displayName: string;
    grantedCapabilities: Capability[];
    tokenHash: Buffer;
    tokenLifetimeMs: number;
  },
): Promise<void> {
  await db
    .insertInto("edges")
    .values({
      workspace_id: collector.workspaceId,
      edge_id: collector.collectorId,
      kind: "collector",
      zone_id: collector.zoneId,
      display_name: collector.displayName,
      status: "pending",
    })
    .execute();
  await db
    .insertInto("collectors")
    .values({
      workspace_id: collector.workspaceId,
      collector_id: collector.collectorId,
      granted_capabilities: collector.grantedCapabilities.map(capabilityName),
      token_hash: collector.tokenHash,
      token_expires_at: fromNow(collector.tokenLifetimeMs),
    })
    .execute();
}

/** Gives a pending collector another token; the one before it is void. */
export async function replaceToken(
  db: Database,
  key: EdgeKey,
  token: { hash: Buffer; lifetimeMs: number },
): Promise<Date | null> {
  const { token_expires_at } = await db
    .updateTable("collectors")
    .set({ token_hash: token.hash, token_expires_at: fromNow(token.lifetimeMs) })
    .where("workspace_id", "=", key.workspace_id)
    .where("collector_id", "=", key.edge_id)
    .returning("token_expires_at")
    .executeTakeFirstOrThrow();
  return token_expires_at;
}

export async function voidToken(db: Database, key: EdgeKey): Promise<void> {
  await db
    .updateTable("collectors")
    .set({ token_hash: null, token_expires_at: null })
    .where("workspace_id", "=", key.workspace_id)
    .where("collector_id", "=", key.edge_id)
    .execute();
}

export async function grantCapabilities(
  db: Database,
  key: EdgeKey,
  capabilities: Capability[],
): Promise<void> {
  await db
    .updateTable("collectors")
    .set({ granted_capabilities: capabilities.map(capabilityName) })
    .where("workspace_id", "=", key.workspace_id)
    .where("collector_id", "=", key.edge_id)
    .execute();
}

export async function recordRelay(
  db: Database,
  key: EdgeKey,
  relay: JsonValue | null,
): Promise<void> {
  await db
    .updateTable("collectors")
    .set({ relay })
    .where("workspace_id", "=", key.workspace_id)
    .where("collector_id", "=", key.edge_id)
    .execute();
}
