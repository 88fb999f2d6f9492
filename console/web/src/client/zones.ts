import { useQuery } from "@connectrpc/connect-query";
import { ZoneService } from "../../../../gen/lumetry/v1/zone_service_pb.js";
import { every, PACE } from "./live.ts";

/** The zones by name, and what each id is called. */
export function useZones() {
  const { data } = useQuery(
    ZoneService.method.listZones,
    { pageSize: 200 },
    { refetchInterval: every(PACE.calm) },
  );
  const zones = data?.zones ?? [];
  return {
    zones,
    nameOf: (zoneId: string) => zones.find((zone) => zone.zoneId === zoneId)?.displayName ?? zoneId,
  };
}
