import { Code, ConnectError } from "@connectrpc/connect";
import { type Selectable, sql } from "kysely";
import type { Database } from "../db/database.ts";
import type { Page } from "../page.ts";
import { notFound } from "../problem.ts";
import { foldName } from "./names.ts";
import type { NodeKind, TopologyTables } from "./table.ts";

export type NodeRow = Selectable<TopologyTables["topology_nodes"]>;

function selectNodes(db: Database, workspaceId: string) {
  return db
    .selectFrom("topology_nodes")
    .selectAll("topology_nodes")
    .select((select) =>
      select
        .selectFrom("agents")
        .innerJoin("edges", (join) =>
          join
            .onRef("edges.workspace_id", "=", "agents.workspace_id")
            .onRef("edges.edge_id", "=", "agents.agent_id")
            .on("edges.status", "!=", "revoked"),
        )
        .whereRef("agents.workspace_id", "=", "topology_nodes.workspace_id")
        .whereRef("agents.cluster_id", "=", "topology_nodes.node_id")
        .select((inner) => inner.fn.countAll<bigint>().as("count"))
        .as("agents"),
    )
    .where("topology_nodes.workspace_id", "=", workspaceId);
}

export type CountedNode = NonNullable<Awaited<ReturnType<typeof findNode>>>;

export function findNode(db: Database, workspaceId: string, nodeId: string) {
  return selectNodes(db, workspaceId).where("node_id", "=", nodeId).executeTakeFirst();
}

/**
 * Nodes of a name, folded, kept from being deleted until the transaction ends; two clusters are
 * enough to know that there is more than one.
 */
export function listNamesakes(
  db: Database,
  workspaceId: string,
  foldedName: string,
): Promise<NodeRow[]> {
  return db
    .selectFrom("topology_nodes")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("folded_name", "=", foldedName)
    .orderBy((order) => order("kind", "=", "cluster"), "desc")
    .limit(2)
    .forKeyShare()
    .execute();
}

/** A node by its exact id, kept from being deleted until the transaction ends. */
export function keepNode(db: Database, workspaceId: string, nodeId: string) {
  return db
    .selectFrom("topology_nodes")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("node_id", "=", nodeId)
    .forKeyShare()
    .executeTakeFirst();
}

/** By name, without regard to case; a page starts after the name and id that are its key. */
export function listNodes(
  db: Database,
  workspaceId: string,
  page: Page,
  filter: { kinds: NodeKind[]; parentId: string },
) {
  let query = selectNodes(db, workspaceId)
    .orderBy("folded_name")
    .orderBy("node_id")
    .limit(page.size + 1);
  if (filter.kinds.length > 0) query = query.where("kind", "in", filter.kinds);
  if (filter.parentId) query = query.where("parent_id", "=", filter.parentId);
  const [name = "", id = ""] = page.after ?? [];
  if (page.after) {
    query = query.where((where) =>
      where(where.refTuple("folded_name", "node_id"), ">", where.tuple(name, id)),
    );
  }
  return query.execute();
}

/** Locks a node, so that what is said to be in it stays possible. */
export function lockNode(db: Database, workspaceId: string, nodeId: string) {
  return db
    .selectFrom("topology_nodes")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("node_id", "=", nodeId)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

export async function insertNode(
  db: Database,
  node: {
    workspaceId: string;
    nodeId: string;
    kind: NodeKind;
    displayName: string;
    parentId: string | null;
  },
): Promise<void> {
  await db
    .insertInto("topology_nodes")
    .values({
      workspace_id: node.workspaceId,
      node_id: node.nodeId,
      kind: node.kind,
      display_name: node.displayName,
      folded_name: foldName(node.displayName),
      parent_id: node.parentId,
    })
    .execute();
}

export async function updateNode(
  db: Database,
  node: { workspace_id: string; node_id: string },
  change: { displayName?: string | undefined; parentId?: string | null | undefined },
): Promise<void> {
  const { displayName, parentId } = change;
  await db
    .updateTable("topology_nodes")
    .set({
      node_id: node.node_id,
      ...(displayName !== undefined && {
        display_name: displayName,
        folded_name: foldName(displayName),
      }),
      ...(parentId !== undefined && { parent_id: parentId }),
    })
    .where("workspace_id", "=", node.workspace_id)
    .where("node_id", "=", node.node_id)
    .execute();
}

/** Removes a node; hosts that are revoked and profiles that are over do not keep it. */
export async function deleteNode(
  db: Database,
  node: { workspace_id: string; node_id: string },
): Promise<void> {
  await db
    .updateTable("agents")
    .from("edges")
    .set({ cluster_id: null })
    .whereRef("edges.workspace_id", "=", "agents.workspace_id")
    .whereRef("edges.edge_id", "=", "agents.agent_id")
    .where("edges.status", "=", "revoked")
    .where("agents.workspace_id", "=", node.workspace_id)
    .where("agents.cluster_id", "=", node.node_id)
    .execute();
  await db
    .updateTable("enrollment_profiles")
    .set({ cluster_id: null })
    .where("workspace_id", "=", node.workspace_id)
    .where("cluster_id", "=", node.node_id)
    .where(
      sql<boolean>`(disabled_at is not null or expires_at <= wall_clock() or uses >= max_uses)`,
    )
    .execute();
  await db
    .deleteFrom("topology_nodes")
    .where("workspace_id", "=", node.workspace_id)
    .where("node_id", "=", node.node_id)
    .execute();
}

/** Finds a cluster by its id, kept from being deleted until the transaction ends. */
export async function requireCluster(db: Database, workspaceId: string, id: string) {
  const node = await keepNode(db, workspaceId, id);
  if (!node) throw notFound("cluster", id);
  if (node.kind !== "cluster") {
    throw new ConnectError(
      `${id} is a ${node.kind}; hosts are placed in clusters`,
      Code.InvalidArgument,
    );
  }
}
