import { BlockList, isIPv6, SocketAddress } from "node:net";

/**
 * What an address leads to:
 * - never: nothing that work may be sent to (link-local, cloud metadata, multicast, tunnels that hide another address …)
 * - loopback: this machine
 * - private: a network that the internet does not route
 * - special: set aside for documentation and benchmarks; somebody may still use it
 * - public: everything else
 */
export type AddressKind = "never" | "loopback" | "private" | "special" | "public";

/** IANA's special-purpose registries, and where the large clouds tell a machine its secrets. */
const NETWORKS: Record<Exclude<AddressKind, "public">, string[]> = {
  never: [
    "0.0.0.0/8",
    "100.100.100.200/32", // metadata, Alibaba
    "168.63.129.16/32", // metadata, Azure
    "169.254.0.0/16", // link-local, with the metadata of most clouds
    "192.0.0.0/24", // protocol assignments, with metadata at Oracle
    "192.88.99.0/24", // 6to4 relays
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96", // unspecified, and IPv4 in a form long given up; ::1 is judged before
    "64:ff9b:1::/48", // NAT64 with a prefix of the network's own: hides where it leads
    "100::/64", // discard
    "2001::/23", // Teredo and other protocol assignments
    "2002::/16", // 6to4
    "5f00::/16", // segment routing
    "fd00:ec2::/32", // metadata, Amazon
    "fd20:ce::254/128", // metadata, Google
    "fd00:42::42/128", // metadata, Scaleway
    "fe80::/10", // link-local
    "fec0::/10", // site-local, given up
    "ff00::/8",
  ],
  loopback: ["127.0.0.0/8", "::1/128"],
  private: ["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
  special: [
    "192.0.2.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "2001:db8::/32",
    "3fff::/20",
  ],
};

/** A set of networks in CIDR notation. Throws for what is none. */
export function makeNetworks(prefixes: readonly string[]): BlockList {
  const list = new BlockList();
  for (const prefix of prefixes) {
    const [network = "", length] = prefix.split("/");
    const family = isIPv6(network) ? "ipv6" : "ipv4";
    list.addSubnet(network, Number(length ?? (family === "ipv6" ? 128 : 32)), family);
  }
  return list;
}

export const isIn = (networks: BlockList, address: string): boolean =>
  networks.check(address, isIPv6(address) ? "ipv6" : "ipv4");

const LOOPBACK = makeNetworks(NETWORKS.loopback);
const NEVER = makeNetworks(NETWORKS.never);
const PRIVATE = makeNetworks(NETWORKS.private);
const SPECIAL = makeNetworks(NETWORKS.special);

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  // The kernel's own text form has at most one "::"; dotted quads only where IPv4 is mapped.
  const { address: plain } = new SocketAddress({ address, family: "ipv6" });
  const [head = "", tail] = plain
    .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
      [(+a << 8) | +b, (+c << 8) | +d].map((group) => group.toString(16)).join(":"),
    )
    .split("::");
  const before = head.split(":").filter(Boolean);
  const after = tail?.split(":").filter(Boolean) ?? [];
  const zeros = Array<string>(8 - before.length - after.length).fill("0");
  return [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16));
}

const MAPPED = makeNetworks(["::ffff:0:0/96"]);
const NAT64 = makeNetworks(["64:ff9b::/96"]);

/**
 * The address that is really meant: IPv4 where it is wrapped in IPv6 so that a kernel or a NAT64
 * gateway unwraps it. Takes what `net.isIP` accepts.
 */
export function unwrapAddress(address: string): string {
  const [plain = ""] = address.split("%", 1);
  if (!isIPv6(plain)) return plain;
  if (!MAPPED.check(plain, "ipv6") && !NAT64.check(plain, "ipv6")) return plain;
  const [high = 0, low = 0] = groupsOf(plain).slice(6);
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** ISATAP hides an IPv4 address in the lower half, whatever the upper half says. */
function isIsatap(address: string): boolean {
  if (!isIPv6(address)) return false;
  const [high = 0, low = 0] = groupsOf(address).slice(4);
  return (high & 0xfdff) === 0 && low === 0x5efe;
}

/** Judges an address as `unwrapAddress` gives it. */
export function kindOfAddress(address: string): AddressKind {
  if (isIn(LOOPBACK, address)) return "loopback";
  if (isIn(NEVER, address) || isIsatap(address)) return "never";
  if (isIn(PRIVATE, address)) return "private";
  if (isIn(SPECIAL, address)) return "special";
  return "public";
}
