import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  RelayHealthSchema,
  RelayPolicy,
  SendHeartbeatRequest_Warning as Warning,
} from "../gen/lumetry/edge/v1/heartbeat_service_pb.js";

/** How the relay of this process is doing, for whoever looks on the machine itself. */
export interface RelayStatus {
  url: string;
  /** Why agents cannot reach it, when they cannot. */
  problem: string | undefined;
  /** SHA-256 of its public key, in hex: what agents pin. */
  publicKeySha256: string;
  allowsCleartext: boolean;
  connections: number;
  relayedCalls: number;
  refusedCalls: number;
}

/** What an edge that relays for others reports with each heartbeat, and is told in the answer. */
export interface Relaying extends AsyncDisposable {
  health(): MessageInitShape<typeof RelayHealthSchema>;
  warnings(): Warning[];
  status(): RelayStatus;
  /** What the zone says about its relays. */
  follow(policy: RelayPolicy): Promise<void>;
}
