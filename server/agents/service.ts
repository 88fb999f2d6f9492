import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { AgentService } from "../../gen/lumetry/v1/agent_service_pb.js";
import { personOf } from "../context.ts";
import { usualLimits } from "../edges/attention.ts";
import { makeEdgeChanges } from "../edges/changes.ts";
import { summarizeEdges } from "../edges/matters.ts";
import { contactPage, dropPage, statusName } from "../edges/rules.ts";
import { listContacts, listDrops, listProcesses, moveToZone, rename } from "../edges/store.ts";
import { cutPage, readPage } from "../page.ts";
import { notFound } from "../problem.ts";
import type { Parts } from "../routes.ts";
import { requireCluster } from "../topology/store.ts";
import { findZone } from "../zones/store.ts";
import { countAgents, listAgents } from "./listing.ts";
import { toAgent } from "./rules.ts";
import * as store from "./store.ts";

export function agentService(parts: Parts): ServiceImpl<typeof AgentService> {
  const { db, settings } = parts;
  const changes = makeEdgeChanges(parts, "agent");
  const limits = usualLimits(settings.heartbeatInterval);

  const show = async (context: HandlerContext, agentId: string) => {
    const { workspaceId } = personOf(context);
    const row = await store.findAgent(db, workspaceId, agentId);
    if (!row) throw notFound("agent", agentId);
    const [processes, earlierAgentIds] = await Promise.all([
      listProcesses(db, row),
      store.listEarlierAgents(db, workspaceId, row.machine_fingerprint, agentId),
    ]);
    return toAgent(row, limits, { processes, earlierAgentIds });
  };

  return {
    async getAgent({ agentId }, context) {
      return { agent: await show(context, agentId) };
    },

    async summarizeAgents(_request, context) {
      const { workspaceId } = personOf(context);
      return { summary: await summarizeEdges(db, workspaceId, "agent", limits) };
    },

    async listAgents(request, context) {
      const { workspaceId } = personOf(context);
      const page = readPage(request, 2);
      const filter = {
        ...request,
        statuses: request.statuses.map(statusName).filter((name) => name !== undefined),
        limits,
      };
      const order = { by: request.orderBy, reversed: request.reversed };
      const [found, totalSize] = await Promise.all([
        listAgents(db, workspaceId, page, filter, order),
        page.after ? 0n : countAgents(db, workspaceId, filter),
      ]);
      const { rows, nextPageToken } = cutPage(found, page, (row) => [row.sort_key, row.edge_id]);
      return {
        agents: rows.map((row) => toAgent(row, limits)),
        nextPageToken,
        totalSize,
      };
    },

    async updateAgent({ agentId, displayName, clusterId }, context) {
      await changes.change(
        context,
        agentId,
        "updated",
        async (transaction, key) => {
          if (displayName !== undefined) await rename(transaction, key, displayName);
          if (clusterId) await requireCluster(transaction, key.workspace_id, clusterId);
          if (clusterId !== undefined) {
            await store.moveToCluster(transaction, key, clusterId || null);
          }
        },
        { displayName, clusterId },
      );
      return { agent: await show(context, agentId) };
    },

    async moveAgent({ agentId, zoneId }, context) {
      await changes.change(
        context,
        agentId,
        "moved",
        async (transaction, key) => {
          if (!(await findZone(transaction, key.workspace_id, zoneId))) {
            throw notFound("zone", zoneId);
          }
          await moveToZone(transaction, key, zoneId);
        },
        { zoneId },
      );
      changes.forget(agentId);
      return { agent: await show(context, agentId) };
    },

    async requestAgentRotation({ agentId }, context) {
      await changes.requestRotation(context, agentId);
      return { agent: await show(context, agentId) };
    },

    async dismissAgentDuplicate({ agentId }, context) {
      await changes.dismissDuplicate(context, agentId);
      return { agent: await show(context, agentId) };
    },

    async revokeAgent({ agentId }, context) {
      await changes.revoke(context, agentId);
      return { agent: await show(context, agentId) };
    },

    async listAgentContacts(request, context) {
      const page = readPage(request, 1);
      const agent = await store.findAgent(db, personOf(context).workspaceId, request.agentId);
      if (!agent) throw notFound("agent", request.agentId);
      return contactPage(await listContacts(db, agent, page), page);
    },

    async listAgentDrops(request, context) {
      const page = readPage(request, 1);
      const agent = await store.findAgent(db, personOf(context).workspaceId, request.agentId);
      if (!agent) throw notFound("agent", request.agentId);
      return dropPage(await listDrops(db, agent, page), page);
    },
  };
}
