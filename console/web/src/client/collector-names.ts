import { useQuery } from "@connectrpc/connect-query";
import { CollectorService } from "../../../../gen/lumetry/v1/collector_service_pb.js";
import { every, PACE } from "./live.ts";

/** What collectors are called, for as many as a legend may name; the id where that is not known. */
export function useCollectorNames(): (collectorId: string) => string {
  const { data } = useQuery(
    CollectorService.method.listCollectors,
    { pageSize: 200 },
    { refetchInterval: every(PACE.calm) },
  );
  const names = new Map(
    data?.collectors.map(({ collectorId, displayName }) => [collectorId, displayName]),
  );
  return (collectorId) => names.get(collectorId) ?? collectorId;
}
