import { BlockList, isIP } from "node:net";

/** Networks as CIDR prefixes or addresses; throws, naming the first that is neither. */
export function readNetworks(prefixes: readonly string[]): BlockList {
  const networks = new BlockList();
  for (const prefix of prefixes) {
    const [address = "", length] = prefix.split("/");
    const version = isIP(address);
    const most = version === 6 ? 128 : 32;
    const bits = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : -1;
    if (version === 0 || bits < 0 || bits > most) {
      throw new Error(`${JSON.stringify(prefix)} is no network, such as 10.0.0.0/8 or 192.0.2.7`);
    }
    networks.addSubnet(address, bits, version === 6 ? "ipv6" : "ipv4");
  }
  return networks;
}

const isIn = (networks: BlockList, address: string) =>
  networks.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");

/** The address in an entry of X-Forwarded-For, some of which carry a port. */
function addressIn(entry: string): string | undefined {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(entry)?.[1] ?? entry;
  const address = isIP(bare) ? bare : bare.replace(/:\d+$/, "");
  return isIP(address) ? address.replace(/^::ffff:(?=\d+\.)/i, "") : undefined;
}

/**
 * Who is at the other end, behind proxies of ours: each of these has added whom it got the request
 * from at the end of X-Forwarded-For, so it is read from there, for as long as those are trusted.
 * What a client has written itself stands before, and is never reached.
 */
export function clientAddress(
  peer: string,
  forwardedFor: string | undefined,
  trusted: BlockList,
): string {
  const entries = forwardedFor?.split(",").map((entry) => entry.trim()) ?? [];
  let address = peer;
  while (isIP(address) && isIn(trusted, address)) {
    const before = addressIn(entries.pop() ?? "");
    if (before === undefined) break;
    address = before;
  }
  return address;
}
