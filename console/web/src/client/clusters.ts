import { useQuery } from "@connectrpc/connect-query";
import {
  TopologyNode_Kind as Kind,
  TopologyService,
} from "../../../../gen/lumetry/v1/topology_service_pb.js";
import { every, PACE } from "./live.ts";

/** The clusters by name, as many as a choice can hold. */
export function useClusters() {
  const { data } = useQuery(
    TopologyService.method.listTopologyNodes,
    { kinds: [Kind.CLUSTER], pageSize: 200 },
    { refetchInterval: every(PACE.calm) },
  );
  return { clusters: data?.nodes ?? [] };
}
