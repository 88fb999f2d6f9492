import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { AgentSchema } from "../../gen/lumetry/v1/agent_pb.js";
import { Attention_Kind as Kind } from "../../gen/lumetry/v1/edge_pb.js";
import { spanText } from "../../lib/age.ts";
import { edgeAttention, type Limits, type Matter } from "../edges/attention.ts";
import { edgeFields } from "../edges/rules.ts";
import type { ProcessRow } from "../edges/store.ts";
import { placementFromName } from "./names.ts";
import type { AgentRow } from "./store.ts";

/** A collector of another zone is brought to an operator's attention for an hour. */
export const REFUSED_LATELY_MS = 3_600_000;

const UNPLACED: Record<string, string> = {
  NOT_FOUND: "there is nothing of that name or id",
  NOT_A_CLUSTER: "that is not a cluster",
  AMBIGUOUS: "several clusters have that name",
};

/** What a row says, in the contract's terms. The rest only where it was asked for. */
export function toAgent(
  row: AgentRow,
  limits: Limits,
  more: { processes: ProcessRow[]; earlierAgentIds: string[] } = {
    processes: [],
    earlierAgentIds: [],
  },
): MessageInitShape<typeof AgentSchema> {
  return {
    agentId: row.edge_id,
    ...edgeFields(row, more.processes),
    attention: [...edgeAttention(row, limits), ...agentAttention(row)],
    profileId: row.profile_id,
    clusterId: row.cluster_id ?? "",
    clusterName: row.cluster_name ?? "",
    path: {
      collectorId: row.relay_id ?? "",
      collectorName: row.relay_name ?? "",
      sinceTime: timestampFromDate(row.path_since),
    },
    earlierAgentIds: more.earlierAgentIds,
    latestAgentId: row.latest_agent_id ?? "",
    labels: row.labels,
    askedCluster: row.asked_cluster,
    placement: placementFromName(row.placement),
  };
}

function agentAttention(row: AgentRow): Matter[] {
  const attention: Matter[] = [];
  if (row.status === "revoked") return attention;
  const refusedMs = row.refused_relay_at
    ? row.read_at.getTime() - row.refused_relay_at.getTime()
    : undefined;
  if (refusedMs !== undefined && refusedMs < REFUSED_LATELY_MS) {
    const name = row.refused_relay_name ?? row.refused_relay_id;
    attention.push({
      kind: Kind.RELAY_REFUSED,
      message: `${spanText(refusedMs)} ago it came through the collector ${name}, which may not relay for it, being of another zone.`,
    });
  }
  if (row.latest_agent_id) {
    attention.push({
      kind: Kind.ENROLLED_AGAIN,
      message: `The same machine has enrolled again, as ${row.latest_agent_id}; revoke this record if it is of no more use.`,
    });
  }
  const why = UNPLACED[row.placement];
  if (why && row.cluster_id === null) {
    attention.push({
      kind: Kind.UNASSIGNED,
      message: `It asked for the cluster ${JSON.stringify(row.asked_cluster)}, and ${why}; place it in one.`,
    });
  }
  return attention;
}
