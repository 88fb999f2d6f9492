import { useQuery } from "@connectrpc/connect-query";
import { WorkQueryService } from "../../../../gen/lumetry/v1/work_query_service_pb.js";
import { every, PACE } from "../client/live.ts";

/** The collectors that have asked for work. */
export function useWorkers(zoneId: string) {
  return useQuery(
    WorkQueryService.method.listWorkers,
    { zoneId },
    { refetchInterval: every(PACE.live) },
  );
}
