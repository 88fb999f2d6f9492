import { createClient } from "@connectrpc/connect";
import { useMutation } from "@tanstack/react-query";
import { AgentService } from "../../../../gen/lumetry/v1/agent_service_pb.js";
import { CollectorService } from "../../../../gen/lumetry/v1/collector_service_pb.js";
import { PACE, queryClient } from "../client/live.ts";
import { usePages } from "../client/pages.ts";
import { transport } from "../client/transport.ts";
import type { Edge } from "./words.tsx";

const collectors = createClient(CollectorService, transport);
const agents = createClient(AgentService, transport);

/** What can be done with a collector and with an agent alike. */
function callsFor(edge: Edge) {
  if ("agentId" in edge) {
    const { agentId } = edge;
    return {
      rename: (displayName: string) => agents.updateAgent({ agentId, displayName }),
      rotate: () => agents.requestAgentRotation({ agentId }),
      dismiss: () => agents.dismissAgentDuplicate({ agentId }),
      revoke: () => agents.revokeAgent({ agentId }),
    };
  }
  const { collectorId } = edge;
  return {
    rename: (displayName: string) => collectors.updateCollector({ collectorId, displayName }),
    rotate: () => collectors.requestCollectorRotation({ collectorId }),
    dismiss: () => collectors.dismissCollectorDuplicate({ collectorId }),
    revoke: () => collectors.revokeCollector({ collectorId }),
  };
}

/** One of these as a mutation, after which everything is read again. */
export function useEdgeCall<Name extends keyof ReturnType<typeof callsFor>>(
  edge: Edge,
  name: Name,
  onSuccess: () => void = () => {},
) {
  return useMutation({
    mutationFn: (text: string | undefined): Promise<unknown> => callsFor(edge)[name](text ?? ""),
    onSuccess: () => {
      onSuccess();
      return queryClient.invalidateQueries();
    },
  });
}

/** When an edge was heard of, newest first. */
export function useContacts(edge: Edge) {
  const agentId = "agentId" in edge ? edge.agentId : undefined;
  const collectorId = "collectorId" in edge ? edge.collectorId : undefined;
  const pace = PACE.calm;
  const ofAgent = usePages(
    AgentService.method.listAgentContacts,
    { agentId: agentId ?? "" },
    { pace, enabled: agentId !== undefined },
  );
  const ofCollector = usePages(
    CollectorService.method.listCollectorContacts,
    { collectorId: collectorId ?? "" },
    { pace, enabled: collectorId !== undefined },
  );
  const list = agentId === undefined ? ofCollector : ofAgent;
  return { list, contacts: list.pages.flatMap(({ contacts }) => contacts) };
}

/** The ledger of what an edge's queue has lost. */
export function useDrops(edge: Edge) {
  const agentId = "agentId" in edge ? edge.agentId : undefined;
  const collectorId = "collectorId" in edge ? edge.collectorId : undefined;
  const pace = PACE.calm;
  const ofAgent = usePages(
    AgentService.method.listAgentDrops,
    { agentId: agentId ?? "" },
    { pace, enabled: agentId !== undefined },
  );
  const ofCollector = usePages(
    CollectorService.method.listCollectorDrops,
    { collectorId: collectorId ?? "" },
    { pace, enabled: collectorId !== undefined },
  );
  const list = agentId === undefined ? ofCollector : ofAgent;
  return { list, drops: list.pages.flatMap(({ drops }) => drops) };
}
