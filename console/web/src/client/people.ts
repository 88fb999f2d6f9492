import { useQuery } from "@connectrpc/connect-query";
import { UserService } from "../../../../gen/lumetry/v1/user_service_pb.js";
import { every, PACE } from "./live.ts";

/** The people of the workspace, as many as a choice can hold. */
export function usePeople() {
  const { data } = useQuery(
    UserService.method.listUsers,
    { pageSize: 200 },
    { refetchInterval: every(PACE.calm) },
  );
  return data?.users ?? [];
}
