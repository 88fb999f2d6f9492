import { isIn, makeNetworks } from "../../lib/egress/address.ts";
import { type EgressPolicy, makeEgressPolicy } from "../../lib/egress/policy.ts";

/** Where the server itself may send messages: to public addresses, and to what its operator lists. */
export function makeServerPolicy(allowed: readonly string[]): EgressPolicy {
  const listed = makeNetworks(allowed);
  return makeEgressPolicy({
    allowed,
    open: ["public"],
    loopback: isIn(listed, "127.0.0.1") || isIn(listed, "::1"),
    advice: {
      network:
        "have a collector of that zone deliver, or list the network in the server's setting --egress-allow",
      loopback: "list 127.0.0.0/8 in the server's setting --egress-allow if that is meant",
    },
  });
}
