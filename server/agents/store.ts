import type { JsonValue } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { type Database, wallClock } from "../db/database.ts";
import { type EdgeKey, selectEdges } from "../edges/store.ts";

/** Everything that an Agent message tells, but for the records of the same machine. */
export function selectAgents(db: Database, workspaceId: string) {
  return selectEdges(db, workspaceId, "agent")
    .innerJoin("agents", (join) =>
      join
        .onRef("agents.workspace_id", "=", "edges.workspace_id")
        .onRef("agents.agent_id", "=", "edges.edge_id"),
    )
    .innerJoin("enrollment_profiles as profile", (join) =>
      join
        .onRef("profile.workspace_id", "=", "agents.workspace_id")
        .onRef("profile.profile_id", "=", "agents.profile_id"),
    )
    .leftJoin("topology_nodes as cluster", (join) =>
      join
        .onRef("cluster.workspace_id", "=", "agents.workspace_id")
        .onRef("cluster.node_id", "=", "agents.cluster_id"),
    )
    .leftJoin("edges as relay", (join) =>
      join
        .onRef("relay.workspace_id", "=", "agents.workspace_id")
        .onRef("relay.edge_id", "=", "agents.relay_id"),
    )
    .leftJoin("edges as refused_relay", (join) =>
      join
        .onRef("refused_relay.workspace_id", "=", "agents.workspace_id")
        .onRef("refused_relay.edge_id", "=", "agents.refused_relay_id"),
    )
    .select([
      "agents.profile_id",
      "agents.cluster_id",
      "agents.machine_fingerprint",
      "agents.asked_cluster",
      "agents.placement",
      "agents.relay_id",
      "agents.path_since",
      "agents.refused_relay_id",
      "agents.refused_relay_at",
      "profile.labels",
      "cluster.display_name as cluster_name",
      "relay.display_name as relay_name",
      "refused_relay.display_name as refused_relay_name",
    ])
    .select((select) =>
      select
        .selectFrom("agents as same")
        .innerJoin("edges as later", (join) =>
          join
            .onRef("later.workspace_id", "=", "same.workspace_id")
            .onRef("later.edge_id", "=", "same.agent_id"),
        )
        .whereRef("same.workspace_id", "=", "agents.workspace_id")
        .whereRef("same.machine_fingerprint", "=", "agents.machine_fingerprint")
        .where("same.machine_fingerprint", "!=", "")
        .whereRef(
          sql`(later.created_at, later.edge_id)`,
          ">",
          sql`(edges.created_at, edges.edge_id)`,
        )
        .select("later.edge_id")
        .orderBy("later.created_at", "desc")
        .orderBy("later.edge_id", "desc")
        .limit(1)
        .as("latest_agent_id"),
    );
}

export type AgentRow = NonNullable<Awaited<ReturnType<typeof findAgent>>>;

export function findAgent(db: Database, workspaceId: string, agentId: string) {
  return selectAgents(db, workspaceId).where("edges.edge_id", "=", agentId).executeTakeFirst();
}

/** The agent that a nonce has made by a profile; the profile's lock keeps it the only one. */
export function findAgentByNonce(
  db: Database,
  profile: { workspace_id: string; profile_id: string },
  nonceHash: Buffer,
) {
  return db
    .selectFrom("edges")
    .innerJoin("agents", (join) =>
      join
        .onRef("agents.workspace_id", "=", "edges.workspace_id")
        .onRef("agents.agent_id", "=", "edges.edge_id"),
    )
    .leftJoin("topology_nodes as cluster", (join) =>
      join
        .onRef("cluster.workspace_id", "=", "agents.workspace_id")
        .onRef("cluster.node_id", "=", "agents.cluster_id"),
    )
    .select(["agents.workspace_id", "agents.agent_id", "agents.placement", "agents.cluster_id"])
    .select("edges.display_name")
    .select("cluster.display_name as cluster_name")
    .where("edges.workspace_id", "=", profile.workspace_id)
    .where("edges.kind", "=", "agent")
    .where("edges.enroll_nonce_hash", "=", nonceHash)
    .where("agents.profile_id", "=", profile.profile_id)
    .executeTakeFirst();
}

/** Ids of the agents that a machine has, newest first: all, or those older than one of them. */
export async function listEarlierAgents(
  db: Database,
  workspaceId: string,
  machineFingerprint: string,
  than?: string,
): Promise<string[]> {
  if (machineFingerprint === "") return [];
  let query = db
    .selectFrom("agents")
    .innerJoin("edges", (join) =>
      join
        .onRef("edges.workspace_id", "=", "agents.workspace_id")
        .onRef("edges.edge_id", "=", "agents.agent_id"),
    )
    .select("edges.edge_id")
    .where("agents.workspace_id", "=", workspaceId)
    .where("agents.machine_fingerprint", "=", machineFingerprint)
    .orderBy("edges.created_at", "desc")
    .orderBy("edges.edge_id", "desc")
    .limit(20);
  if (than !== undefined) {
    query = query.where((where) =>
      where(
        where.refTuple("edges.created_at", "edges.edge_id"),
        "<",
        where
          .selectFrom("edges as this")
          .select(["this.created_at", "this.edge_id"])
          .where("this.workspace_id", "=", workspaceId)
          .where("this.edge_id", "=", than)
          .$asTuple("created_at", "edge_id"),
      ),
    );
  }
  const rows = await query.execute();
  return rows.map(({ edge_id }) => edge_id);
}

export async function insertAgent(
  db: Database,
  agent: {
    workspaceId: string;
    agentId: string;
    profileId: string;
    zoneId: string;
    clusterId: string | null;
    displayName: string;
    nonceHash: Buffer;
    host: JsonValue;
    machineFingerprint: string;
    version: string;
    askedCluster: string;
    placement: string;
    relayId: string | null;
  },
): Promise<void> {
  await db
    .insertInto("edges")
    .values({
      workspace_id: agent.workspaceId,
      edge_id: agent.agentId,
      kind: "agent",
      zone_id: agent.zoneId,
      display_name: agent.displayName,
      status: "active",
      enroll_nonce_hash: agent.nonceHash,
      enrolled_at: wallClock,
      host: agent.host,
      version: agent.version,
    })
    .execute();
  await db
    .insertInto("agents")
    .values({
      workspace_id: agent.workspaceId,
      agent_id: agent.agentId,
      profile_id: agent.profileId,
      cluster_id: agent.clusterId,
      machine_fingerprint: agent.machineFingerprint,
      asked_cluster: agent.askedCluster,
      placement: agent.placement,
      relay_id: agent.relayId,
    })
    .execute();
}

export async function moveToCluster(
  db: Database,
  key: EdgeKey,
  clusterId: string | null,
): Promise<void> {
  await db
    .updateTable("agents")
    .set({ cluster_id: clusterId })
    .where("workspace_id", "=", key.workspace_id)
    .where("agent_id", "=", key.edge_id)
    .execute();
}

/** Notes the way of an agent's call; the time stays while the way does. */
export async function recordPath(
  db: Database,
  key: EdgeKey,
  relayId: string | null,
): Promise<void> {
  await db
    .updateTable("agents")
    .set({ relay_id: relayId, path_since: wallClock })
    .where("workspace_id", "=", key.workspace_id)
    .where("agent_id", "=", key.edge_id)
    .where(sql<boolean>`relay_id is distinct from ${relayId}`)
    .execute();
}

/** Notes that a collector of another zone has passed a call of an agent's on. */
export async function recordRefusedRelay(
  db: Database,
  key: EdgeKey,
  relayId: string,
): Promise<void> {
  await db
    .updateTable("agents")
    .set({ refused_relay_id: relayId, refused_relay_at: wallClock })
    .where("workspace_id", "=", key.workspace_id)
    .where("agent_id", "=", key.edge_id)
    .execute();
}
