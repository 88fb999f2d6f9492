import { create, type DescMethodUnary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { AgentService } from "../../gen/lumetry/v1/agent_service_pb.js";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import { EdgeOrder } from "../../gen/lumetry/v1/edge_pb.js";
import { SessionService } from "../../gen/lumetry/v1/session_service_pb.js";
import { ZoneService } from "../../gen/lumetry/v1/zone_service_pb.js";

/** Where a call goes, and its body in base64. */
export type FirstCall = [url: string, body: string];

function call<Method extends DescMethodUnary>(
  method: Method,
  request: MessageInitShape<Method["input"]>,
): FirstCall {
  const bytes = toBinary(method.input, create(method.input, request));
  return [`/${method.parent.typeName}/${method.name}`, Buffer.from(bytes).toString("base64")];
}

/** What every page asks first: who is there. */
export const SESSION = call(SessionService.method.getSession, {});

const list = { pageSize: 100, orderBy: EdgeOrder.CREATE_TIME };
const zones = call(ZoneService.method.listZones, { pageSize: 200 });

/** What some pages ask at first when their address has no more to say, exactly as they ask it. */
export const FIRST_CALLS: Record<string, FirstCall[]> = {
  "/collectors": [
    call(CollectorService.method.listCollectors, list),
    zones,
    call(CollectorService.method.summarizeCollectors, {}),
  ],
  "/agents": [
    call(AgentService.method.listAgents, list),
    zones,
    call(AgentService.method.summarizeAgents, {}),
  ],
};
