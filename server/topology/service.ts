import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import {
  TopologyNode_Kind as Kind,
  type TopologyService,
} from "../../gen/lumetry/v1/topology_service_pb.js";
import { makeId } from "../../lib/ids.ts";
import { recordChange } from "../audit/store.ts";
import { originOf, personOf } from "../context.ts";
import { brokenConstraint, type Database } from "../db/database.ts";
import { cutPage, readPage } from "../page.ts";
import { notFound } from "../problem.ts";
import * as store from "./store.ts";
import type { NodeKind } from "./table.ts";

const KINDS: Record<NodeKind, Kind> = {
  site: Kind.SITE,
  group: Kind.GROUP,
  cluster: Kind.CLUSTER,
};
const PREFIXES = { site: "sit", group: "grp", cluster: "cls" } as const;
/** A node may be in one of a kind before its own: so none can be in itself. */
const ORDER: NodeKind[] = ["site", "group", "cluster"];

function kindName(kind: Kind): NodeKind | undefined {
  return ORDER.find((name) => KINDS[name] === kind);
}

function toNode(row: store.CountedNode) {
  return {
    nodeId: row.node_id,
    kind: KINDS[row.kind],
    displayName: row.display_name,
    parentId: row.parent_id ?? "",
    createTime: timestampFromDate(row.created_at),
    agents: row.agents ?? 0n,
  };
}

/** Says in the caller's terms why the database refused. */
function explain(error: unknown): unknown {
  const refuse = (why: string) => new ConnectError(why, Code.FailedPrecondition);
  switch (brokenConstraint(error)) {
    case "hosts_are_in_clusters":
      return refuse("hosts are still placed in the cluster; move them first");
    case "nodes_are_in_nodes":
      return refuse("other nodes are still in it; move them first");
    case "profiles_place_in_clusters":
      return refuse("an enrollment profile still places hosts in the cluster; disable it first");
    default:
      return error;
  }
}

/** Refuses a parent that is not there, or that a node of this kind cannot be in. */
async function requireParent(
  db: Database,
  workspaceId: string,
  kind: NodeKind,
  parentId: string,
): Promise<void> {
  const parent = await store.keepNode(db, workspaceId, parentId);
  if (!parent) throw notFound("topology node", parentId);
  if (ORDER.indexOf(parent.kind) < ORDER.indexOf(kind)) return;
  throw new ConnectError(
    `a ${kind} cannot be in a ${parent.kind}: sites hold groups and clusters, groups hold clusters`,
    Code.InvalidArgument,
  );
}

export function topologyService(db: Database): ServiceImpl<typeof TopologyService> {
  const show = async (context: HandlerContext, nodeId: string) => {
    const node = await store.findNode(db, personOf(context).workspaceId, nodeId);
    if (!node) throw notFound("topology node", nodeId);
    return toNode(node);
  };

  /** Changes a node under its lock, with a line in the audit log, in one transaction. */
  const change = async (
    context: HandlerContext,
    nodeId: string,
    action: string,
    work: (transaction: Database, node: store.NodeRow) => Promise<void>,
    details: Record<string, unknown> = {},
  ) => {
    const person = personOf(context);
    try {
      await db.transaction().execute(async (transaction) => {
        const node = await store.lockNode(transaction, person.workspaceId, nodeId);
        if (!node) throw notFound("topology node", nodeId);
        await work(transaction, node);
        await recordChange(transaction, person.workspaceId, person, originOf(context), {
          action: `topology.${action}`,
          target: { id: nodeId, name: node.display_name },
          details: { kind: node.kind, ...details },
        });
      });
    } catch (error) {
      throw explain(error);
    }
  };

  return {
    async createTopologyNode({ kind, displayName, parentId }, context) {
      const person = personOf(context);
      const { workspaceId } = person;
      const name = kindName(kind);
      if (!name) throw new ConnectError("there is no such kind of node", Code.InvalidArgument);
      const nodeId = makeId(PREFIXES[name]);
      await db.transaction().execute(async (transaction) => {
        if (parentId) await requireParent(transaction, workspaceId, name, parentId);
        await store.insertNode(transaction, {
          workspaceId,
          nodeId,
          kind: name,
          displayName,
          parentId: parentId || null,
        });
        await recordChange(transaction, workspaceId, person, originOf(context), {
          action: "topology.created",
          target: { id: nodeId, name: displayName },
          details: { kind: name, ...(parentId && { parentId }) },
        });
      });
      return { node: await show(context, nodeId) };
    },

    async getTopologyNode({ nodeId }, context) {
      return { node: await show(context, nodeId) };
    },

    async listTopologyNodes(request, context) {
      const page = readPage(request, 2);
      const found = await store.listNodes(db, personOf(context).workspaceId, page, {
        kinds: request.kinds.map(kindName).filter((kind) => kind !== undefined),
        parentId: request.parentId,
      });
      const { rows, nextPageToken } = cutPage(found, page, (row) => [row.folded_name, row.node_id]);
      return { nodes: rows.map(toNode), nextPageToken };
    },

    async updateTopologyNode({ nodeId, displayName, parentId }, context) {
      await change(
        context,
        nodeId,
        "updated",
        async (transaction, node) => {
          if (parentId) await requireParent(transaction, node.workspace_id, node.kind, parentId);
          await store.updateNode(transaction, node, {
            displayName,
            parentId: parentId === "" ? null : parentId,
          });
        },
        { displayName, parentId },
      );
      return { node: await show(context, nodeId) };
    },

    async deleteTopologyNode({ nodeId }, context) {
      await change(context, nodeId, "deleted", store.deleteNode);
      return {};
    },
  };
}
