import { useQuery } from "@connectrpc/connect-query";
import { AgentService } from "../../../../gen/lumetry/v1/agent_service_pb.js";
import { useCollectorNames } from "./collector-names.ts";
import { every, PACE } from "./live.ts";

/** What the collectors and agents that send points are called, for as many as a legend may name. */
export function useSenderNames(): (id: string) => string {
  const collectorName = useCollectorNames();
  const { data } = useQuery(
    AgentService.method.listAgents,
    { pageSize: 200 },
    { refetchInterval: every(PACE.calm) },
  );
  const agents = new Map(data?.agents.map(({ agentId, displayName }) => [agentId, displayName]));
  return (id) => agents.get(id) ?? collectorName(id);
}
