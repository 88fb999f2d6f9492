import { networkInterfaces } from "node:os";
import { type AddressKind, isIn, kindOfAddress, makeNetworks, unwrapAddress } from "./address.ts";

/** Which addresses may be connected to. */
export interface EgressPolicy {
  /** Why an address is refused, as the end of a sentence that starts with it; undefined when it is not. */
  refusal(address: string): string | undefined;
}

export interface EgressRules {
  /** CIDR prefixes that may be reached besides what is open. */
  allowed: readonly string[];
  /** The kinds of addresses that may be reached without being listed. */
  open: readonly ("public" | "private")[];
  /** Whether this machine itself may be reached, by whatever address it has. */
  loopback: boolean;
  /** What a person can do about a refusal, of a network and of this machine itself. */
  advice: { network: string; loopback: string };
}

const NAMES: Record<AddressKind, string> = {
  never:
    "an address that is never connected to (link-local, cloud metadata, multicast or a tunnel)",
  loopback: "this machine itself",
  private: "in a private network",
  special: "in a network that is set aside for documentation or tests",
  public: "in a public network",
};

/** The addresses of a machine change rarely; asking for them takes a system call for each interface. */
const OWN_ADDRESSES_FOR_MS = 5_000;

/** Tells whether an address is one of this machine's. */
function makeOwnAddresses(): (address: string) => boolean {
  let known = new Set<string>();
  let readAt = Number.NEGATIVE_INFINITY;
  return (address) => {
    if (performance.now() - readAt > OWN_ADDRESSES_FOR_MS) {
      readAt = performance.now();
      known = new Set(
        Object.values(networkInterfaces()).flatMap((all) => all?.map((one) => one.address) ?? []),
      );
    }
    return known.has(address);
  };
}

const isOwn = makeOwnAddresses();

/** Throws for a prefix that is none. */
export function makeEgressPolicy({ allowed, open, loopback, advice }: EgressRules): EgressPolicy {
  const listed = makeNetworks(allowed);
  return {
    refusal(address) {
      const meant = unwrapAddress(address);
      const found = kindOfAddress(meant);
      const kind = found !== "never" && isOwn(meant) ? "loopback" : found;
      const isFine =
        kind === "loopback"
          ? loopback
          : kind !== "never" &&
            (isIn(listed, meant) ||
              ((kind === "public" || kind === "private") && open.includes(kind)));
      if (isFine) return undefined;
      if (kind === "never") return `is ${NAMES.never}`;
      return `is ${NAMES[kind]}: ${kind === "loopback" ? advice.loopback : advice.network}`;
    },
  };
}
