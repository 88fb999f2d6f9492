import { promises as dns, type LookupAddress } from "node:dns";
import { isIP } from "node:net";
import { EgressFailure, outOfTime, resolvingFailed } from "./failure.ts";

/** Finds the addresses of a host name, as this system does; an address is its own. */
export type Lookup = (host: string, signal: AbortSignal) => Promise<string[]>;

/** Each takes a thread for as long as name servers are silent; the rest of the process needs some too. */
const MOST_AT_ONCE = 12;

type Ask = (host: string) => Promise<LookupAddress[]>;

const askSystem: Ask = (host) => dns.lookup(host, { all: true, order: "verbatim" });

/**
 * A lookup that asks once for a name that many want at the same moment, and a bounded number of names
 * at once. Whoever gives up leaves the others undisturbed: the system's own lookup cannot be cancelled.
 */
export function makeLookup(ask: Ask = askSystem): Lookup {
  const running = new Map<string, Promise<LookupAddress[]>>();
  const queue = new Set<() => void>();
  let asked = 0;

  const wakeOne = () => {
    const [next] = queue;
    if (!next) return;
    queue.delete(next);
    next();
  };
  const start = async (host: string): Promise<LookupAddress[]> => {
    asked += 1;
    try {
      return await ask(host);
    } finally {
      asked -= 1;
      running.delete(host);
      wakeOne();
    }
  };
  const find = async (host: string, signal: AbortSignal): Promise<LookupAddress[]> => {
    while (!running.has(host) && asked >= MOST_AT_ONCE) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const giveUp = () => {
        queue.delete(resolve);
        resolve();
      };
      queue.add(resolve);
      signal.addEventListener("abort", giveUp, { once: true });
      await promise;
      signal.removeEventListener("abort", giveUp);
      if (!signal.aborted) continue;
      wakeOne(); // should it have been this one's turn
      throw outOfTime(host, "waiting for other names to be looked up");
    }
    let mine = running.get(host);
    if (!mine) {
      mine = start(host);
      running.set(host, mine);
    }
    return mine;
  };

  return async (host, signal) => {
    if (isIP(host)) return [host];
    const { promise: ended, reject } = Promise.withResolvers<never>();
    const end = () => reject(outOfTime(host, "looking up its name"));
    if (signal.aborted) throw outOfTime(host, "looking up its name");
    signal.addEventListener("abort", end, { once: true });
    try {
      const found = await Promise.race([find(host, signal), ended]);
      return found.map(({ address }) => address);
    } catch (error) {
      throw error instanceof EgressFailure ? error : resolvingFailed(host, error);
    } finally {
      signal.removeEventListener("abort", end);
    }
  };
}
