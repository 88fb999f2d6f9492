import type { Redeem } from "../edge/enroll.ts";
import {
  type EnrollAgentRequest,
  type EnrollAgentResponse,
  EnrollAgentResponse_Placement as Placement,
} from "../gen/lumetry/edge/v1/enrollment_service_pb.js";
import { SettingsError } from "../lib/settings.ts";
import type { AgentSettings } from "./settings.ts";

/** Where the host would like to be. */
export type Wish = EnrollAgentRequest["placement"];

export function wishOf(settings: Pick<AgentSettings, "cluster" | "clusterId">): Wish {
  // An empty one is what a script without a value writes, and no wish.
  const [cluster, clusterId] = [settings.cluster, settings.clusterId].map(
    (each) => each || undefined,
  );
  if (cluster !== undefined && clusterId !== undefined) {
    throw new SettingsError(
      "--cluster and --cluster-id both say where this host belongs; give one of them",
    );
  }
  if (clusterId !== undefined) return { case: "clusterId", value: clusterId };
  return cluster === undefined ? { case: undefined } : { case: "clusterName", value: cluster };
}

const WHY_NOT: Partial<Record<Placement, string>> = {
  [Placement.NOT_FOUND]: "is not there",
  [Placement.NOT_A_CLUSTER]: "is no cluster",
  [Placement.AMBIGUOUS]: "is the name of several clusters; ask by --cluster-id",
};

/** What became of a wish, in words for status and log. */
export function placementWords(wish: Wish, answer: EnrollAgentResponse): string {
  const { placement, clusterId, clusterName } = answer;
  const place = clusterId === "" ? "unassigned" : `cluster ${clusterName} (${clusterId})`;
  const reason = WHY_NOT[placement];
  return reason === undefined ? place : `${place}: ${JSON.stringify(wish.value ?? "")} ${reason}`;
}

/** Redeems the token of an enrollment profile. */
export function enrollAgent(wish: Wish): Redeem {
  return async (upstream, introduction, signal) => {
    const answer = await upstream.enrollment.enrollAgent(
      { ...introduction, placement: wish },
      { signal },
    );
    const { agentId, credential } = answer;
    return { edgeId: agentId, credential, placement: placementWords(wish, answer) };
  };
}
