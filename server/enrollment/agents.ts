import { create, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, type HandlerContext } from "@connectrpc/connect";
import {
  type EnrollAgentRequest,
  type EnrollAgentResponseSchema,
  EnrollAgentResponse_Placement as Placement,
} from "../../gen/lumetry/edge/v1/enrollment_service_pb.js";
import { HostSchema } from "../../gen/lumetry/edge/v1/host_pb.js";
import { makeId } from "../../lib/ids.ts";
import { hashSecret, makeSecret, secretKind } from "../../lib/secret.ts";
import { placementFromName, placementName } from "../agents/names.ts";
import { findAgentByNonce, insertAgent, listEarlierAgents } from "../agents/store.ts";
import { recordChange } from "../audit/store.ts";
import { callerOf, nobody, originOf } from "../context.ts";
import { insertCredential, voidPendingCredential } from "../credentials/store.ts";
import type { Database } from "../db/database.ts";
import { lockEdge } from "../edges/store.ts";
import { problem, Reason } from "../problem.ts";
import type { Parts } from "../routes.ts";
import { place } from "../topology/placement.ts";
import { keepNode } from "../topology/store.ts";
import { type AgentRefusal, agentRefused } from "./refusals.ts";
import * as store from "./store.ts";

const UNPRINTABLE = /[\p{Cc}\p{Cs}]/gu;

/** Host after host redeems the one token of a profile; each becomes an agent of its own. */
export function agentEnrollment({ db, settings }: Parts) {
  return {
    async enrollAgent(
      request: EnrollAgentRequest,
      context: HandlerContext,
    ): Promise<MessageInitShape<typeof EnrollAgentResponseSchema>> {
      if (secretKind(request.enrollmentToken) !== "lmtae") throw agentRefused("unknown");
      const tokenHash = hashSecret(request.enrollmentToken);
      const nonceHash = hashSecret(request.nonce);
      const credential = makeSecret("lmtac");

      const enrolled = await db.transaction().execute(async (transaction) => {
        const profile = await store.lockProfileByToken(transaction, tokenHash);
        if (!profile) return { why: "unknown" as const };
        refuseForeignRelay(context, profile);
        const known = await findAgentByNonce(transaction, profile, nonceHash);
        const why = known ? await refuseAgain(transaction, known) : refuseNew(profile);
        if (why) return { profile, why };
        const agentId = known
          ? await takeUp(transaction, known, context)
          : await addAgent(transaction, profile, nonceHash, request, context);
        const key = { workspace_id: profile.workspace_id, edge_id: agentId };
        await insertCredential(transaction, key, {
          credentialId: makeId("crd"),
          secretHash: hashSecret(credential),
          confirmWithinMs: undefined,
        });
        const agent = await findAgentByNonce(transaction, profile, nonceHash);
        if (!agent) throw new Error(`${agentId} has gone while it was enrolled`);
        return { agent };
      });

      const { agent, profile, why } = enrolled;
      if (why !== undefined) {
        if (profile) {
          await recordChange(db, profile.workspace_id, nobody, originOf(context), {
            action: "agent.enrollment_refused",
            target: { id: profile.profile_id, name: profile.display_name },
            details: { why, hostname: request.host?.hostname },
          });
        }
        throw agentRefused(why);
      }
      return {
        agentId: agent.agent_id,
        credential,
        heartbeatInterval: durationFromMs(settings.heartbeatInterval),
        placement: placementFromName(agent.placement),
        clusterId: agent.cluster_id ?? "",
        clusterName: agent.cluster_name ?? "",
      };
    },
  };
}

function relayOf(context: HandlerContext) {
  const caller = callerOf(context);
  return caller.kind === "nobody" ? caller.relay : undefined;
}

function refuseForeignRelay(context: HandlerContext, profile: store.Profile): void {
  const relay = relayOf(context);
  if (!relay || relay.workspaceId === profile.workspace_id) return;
  throw problem(
    Code.Unavailable,
    Reason.RELAY_REFUSED,
    "the collector that passed the call on is not one of the enrollment token's workspace; take another way",
  );
}

/**
 * The host may have crashed, or the answer been lost, before it had its credential: it asks again
 * with the nonce that it kept. That is no other use, and works until the credential is first used,
 * whatever has become of the profile.
 */
async function refuseAgain(
  db: Database,
  agent: { workspace_id: string; agent_id: string },
): Promise<AgentRefusal | undefined> {
  // Under its lock, since the credential may be in its first use at this moment.
  const edge = await lockEdge(db, agent.workspace_id, agent.agent_id);
  if (!edge || edge.status === "revoked") return "revoked";
  return (await store.hasUsedCredential(db, edge)) ? "used" : undefined;
}

function refuseNew(profile: store.Profile): AgentRefusal | undefined {
  if (profile.disabled_at) return "disabled";
  if (profile.expired) return "expired";
  return profile.uses >= profile.max_uses ? "exhausted" : undefined;
}

/** The credential that nobody used is void; another takes its place. */
async function takeUp(
  db: Database,
  agent: { workspace_id: string; agent_id: string; display_name: string },
  context: HandlerContext,
): Promise<string> {
  const { workspace_id, agent_id } = agent;
  await voidPendingCredential(db, { workspace_id, edge_id: agent_id });
  await recordChange(db, workspace_id, nobody, originOf(context), {
    action: "agent.enrollment_taken_up",
    target: { id: agent_id, name: agent.display_name },
  });
  return agent_id;
}

async function addAgent(
  db: Database,
  profile: store.Profile,
  nonceHash: Buffer,
  request: EnrollAgentRequest,
  context: HandlerContext,
): Promise<string> {
  const host = request.host ?? create(HostSchema);
  const workspaceId = profile.workspace_id;
  const relay = relayOf(context);
  const { placement, cluster } = await place(db, workspaceId, request.placement);
  const byDefault =
    placement === Placement.NOT_ASKED && profile.cluster_id
      ? await keepNode(db, workspaceId, profile.cluster_id)
      : undefined;
  const clusterId = cluster?.node_id ?? byDefault?.node_id ?? null;
  const asked = (request.placement.value ?? "").replace(UNPRINTABLE, "").slice(0, 128);
  const earlier = await listEarlierAgents(db, workspaceId, host.machineFingerprint);
  const agentId = makeId("agt");
  const displayName = host.hostname.replace(UNPRINTABLE, "").trim() || agentId;
  const zoneId = relay?.zoneId ?? profile.zone_id;
  await insertAgent(db, {
    workspaceId,
    agentId,
    profileId: profile.profile_id,
    zoneId,
    clusterId,
    displayName,
    nonceHash,
    host: toJson(HostSchema, host),
    machineFingerprint: host.machineFingerprint,
    version: request.version,
    askedCluster: asked,
    placement: placementName(placement),
    relayId: relay?.edgeId ?? null,
  });
  await store.countUse(db, profile);
  await recordChange(db, workspaceId, nobody, originOf(context), {
    action: "agent.enrolled",
    target: { id: agentId, name: displayName },
    details: {
      hostname: host.hostname,
      version: request.version,
      profileId: profile.profile_id,
      zoneId,
      ...(relay && { relayedBy: relay.edgeId }),
      placement: placementName(placement).toLowerCase(),
      ...(asked && { askedCluster: asked }),
      ...(clusterId && { clusterId }),
      ...(earlier.length > 0 && { earlierAgentIds: earlier }),
    },
  });
  return agentId;
}
