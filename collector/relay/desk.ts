import type { Connection } from "../../lib/http/connections.ts";
import { networkOf } from "../../lib/http/network.ts";
import { relayedPaths } from "./allow-list.ts";
import type { RelayLimits } from "./limits.ts";
import { NOT_RELAYED, type Refusal, turnedAway, unreachable, WRONG_METHOD } from "./refusal.ts";

/** A call of which the headers have come, and nothing was passed on. */
export interface Arrival {
  method: string;
  /** With its query. */
  target: string;
  connection: Connection;
  isEncrypted: boolean;
  /** Why the server is taken to be out of reach just now. */
  outage: string | undefined;
}

/** A call that is passed on. */
export interface Admission {
  refusal?: undefined;
  /** What the collector names itself with. */
  credential: string;
  /** Gives its place free; to be called once. */
  leave(): void;
}

/** Where every call is let in or turned away, whatever the version of HTTP. */
export interface Desk {
  admit(arrival: Arrival): Admission | { refusal: Refusal };
  /** Calls under way. */
  readonly running: number;
  /** From now on every call is turned away. */
  close(): void;
}

const CLOSING = "this collector is stopping; take another way";
const CLEARTEXT =
  "this zone allows no calls without encryption: give the collector's address with https:";
const NOT_ENROLLED = "it has no identity yet";

export function makeDesk(options: {
  limits: RelayLimits;
  /** The collector's own credential; undefined before it is enrolled. */
  credential: () => string | undefined;
  allowsCleartext: () => boolean;
  /** Told of each call that is let in without encryption. */
  onCleartext: () => void;
}): Desk {
  const { limits } = options;
  const perNetwork = new Map<string, number>();
  let running = 0;
  let isClosing = false;

  const leave = (network: string) => {
    running -= 1;
    const left = (perNetwork.get(network) ?? 1) - 1;
    if (left > 0) perNetwork.set(network, left);
    else perNetwork.delete(network);
  };

  const refusalOf = ({ method, target, isEncrypted, outage }: Arrival): Refusal | undefined => {
    if (!relayedPaths.has(target.split("?", 1)[0] ?? "")) return NOT_RELAYED;
    if (method !== "POST" && method !== "GET") return WRONG_METHOD;
    if (isClosing) return turnedAway(CLOSING);
    if (!isEncrypted && !options.allowsCleartext()) return turnedAway(CLEARTEXT);
    if (running >= limits.calls) return turnedAway("this collector has too many calls under way");
    return outage === undefined ? undefined : unreachable(outage);
  };

  return {
    get running() {
      return running;
    },
    admit(arrival) {
      const refusal = refusalOf(arrival);
      if (refusal) return { refusal };
      const credential = options.credential();
      if (credential === undefined) return { refusal: unreachable(NOT_ENROLLED) };
      const network = networkOf(arrival.connection.address);
      const others = perNetwork.get(network) ?? 0;
      if (others >= limits.callsPerAddress) {
        return { refusal: turnedAway("too many calls from this address are under way") };
      }
      if (!arrival.isEncrypted) options.onCleartext();
      running += 1;
      perNetwork.set(network, others + 1);
      return { credential, leave: () => leave(network) };
    },
    close() {
      isClosing = true;
    },
  };
}
