import type { MessageInitShape } from "@bufbuild/protobuf";
import { fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { RelayHealthSchema } from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import type { CollectorSchema } from "../../gen/lumetry/v1/collector_pb.js";
import { Attention_Kind as Kind } from "../../gen/lumetry/v1/edge_pb.js";
import { capabilitiesFromNames } from "../access/names.ts";
import { edgeAttention, type Limits, type Matter } from "../edges/attention.ts";
import { edgeFields, ignoreUnknown } from "../edges/rules.ts";
import type { ProcessRow } from "../edges/store.ts";
import type { CollectorRow } from "./store.ts";

/** What a row says, in the contract's terms. `processes` only where they were asked for. */
export function toCollector(
  row: CollectorRow,
  limits: Limits,
  processes: ProcessRow[] = [],
): MessageInitShape<typeof CollectorSchema> {
  const tokenEnds = row.status === "pending" ? row.token_expires_at : null;
  return {
    collectorId: row.edge_id,
    ...edgeFields(row, processes),
    createTime: timestampFromDate(row.created_at),
    ...(tokenEnds && { enrollmentTokenExpireTime: timestampFromDate(tokenEnds) }),
    enrollmentTokenExpired: isTokenExpired(row),
    grantedCapabilities: capabilitiesFromNames(row.granted_capabilities),
    declaredCapabilities: capabilitiesFromNames(row.declared_capabilities),
    attention: [...edgeAttention(row, limits), ...collectorAttention(row)],
    ...(row.relay !== null && { relay: fromJson(RelayHealthSchema, row.relay, ignoreUnknown) }),
    relayedAgents: row.relayed_agents ?? 0n,
  };
}

type Registered = Pick<CollectorRow, "status" | "token_expires_at" | "read_at">;

const isTokenExpired = ({ status, token_expires_at: ends, read_at }: Registered) =>
  status === "pending" && ends !== null && ends <= read_at;

export function collectorAttention(row: Registered): Matter[] {
  if (!isTokenExpired(row)) return [];
  return [
    {
      kind: Kind.TOKEN_EXPIRED,
      message: "The enrollment token has expired before it was used; replace it.",
    },
  ];
}
