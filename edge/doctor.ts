import { lookup } from "node:dns/promises";
import { access, constants, statfs } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { ConnectError, createClient } from "@connectrpc/connect";
import { ConfigService } from "../gen/lumetry/edge/v1/config_service_pb.js";
import { spanText } from "../lib/age.ts";
import type { EdgeKind } from "./identity.ts";
import type { Route } from "./routes.ts";
import { makeTransport, type Reach } from "./transport.ts";
import { readAuthority } from "./upstream.ts";
import { judge } from "./verdict.ts";

/** What was looked at, and how it is: "warning" hinders nothing now, "failed" has to be put right. */
export interface Finding {
  what: string;
  state: "ok" | "warning" | "failed";
  words: string;
}

/** Certificates are judged by this host's clock; points are corrected by the server's. */
const CLOCK_WARNING_MS = 5_000;
/** Less than this is no room for a queue. */
const LEAST_FREE_BYTES = 50_000_000;

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6).toLocaleString("en")} MB`;

async function examineDisk(dataDir: string, queueLimit: number): Promise<Finding> {
  let place = dataDir;
  for (;;) {
    try {
      const { bavail, bsize } = await statfs(place);
      const free = bavail * bsize;
      const words = `${megabytes(free)} free for ${dataDir}; the queue takes ${megabytes(queueLimit)} at most`;
      await access(place, constants.W_OK);
      if (free < LEAST_FREE_BYTES) return { what: "disk", state: "failed", words };
      return { what: "disk", state: free < queueLimit ? "warning" : "ok", words };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const parent = path.dirname(place);
      if (code !== "ENOENT" || parent === place) {
        return { what: "disk", state: "failed", words: `${dataDir} cannot be used: ${message}` };
      }
      place = parent;
    }
  }
}

/** The addresses of a name, in words; throws when it has none. */
async function resolve(url: string): Promise<string> {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, "");
  if (net.isIP(host) !== 0) return host;
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address).join(", ");
}

interface Examined extends Finding {
  /** By how much this host's clock is ahead of the server's; undefined when nobody answered. */
  offsetMs: number | undefined;
}

/**
 * Makes one call without any credential: the server refuses it, which shows that the whole way is
 * there, names, proxy, TLS and relay included.
 */
async function examineRoute(route: Route, reach: Reach): Promise<Examined> {
  const what = route.kind === "direct" ? "server" : "collector";
  const proxy = route.kind === "direct" && route.url.startsWith("https:") ? reach.proxy : undefined;
  const failed = (words: string): Examined => ({
    what,
    state: "failed",
    words,
    offsetMs: undefined,
  });
  let addresses: string;
  try {
    addresses = await resolve(proxy ?? route.url);
  } catch (error) {
    const name = new URL(proxy ?? route.url).hostname;
    return failed(
      `${route.url}: the name ${name} cannot be looked up (${(error as NodeJS.ErrnoException).code})`,
    );
  }
  const way = proxy === undefined ? `at ${addresses}` : `by the proxy ${new URL(proxy).host}`;
  const begun = Date.now();
  try {
    await createClient(ConfigService, makeTransport(route, reach)).getConfig({});
    return failed(`${route.url} (${way}): it lets in anybody, so it is no Lumetry server`);
  } catch (error) {
    const verdict = judge(error);
    if (verdict.route !== "keep") return failed(`${route.url} (${way}): ${verdict.message}`);
    const date = ConnectError.from(error).metadata.get("date");
    const pinned = route.kind === "collector" && reach.pins.length > 0 ? ", by the pinned key" : "";
    const tls = route.url.startsWith("https:") ? `over TLS${pinned}` : "without TLS";
    const answered = route.kind === "direct" ? "it answers" : "the server answers through it";
    return {
      what,
      state: route.url.startsWith("https:") ? "ok" : "warning",
      words: `${route.url} (${way}): ${answered}, ${tls}`,
      offsetMs: date ? (begun + Date.now()) / 2 - Date.parse(date) - 500 : undefined,
    };
  }
}

function judgeClock(offsets: (number | undefined)[]): Finding {
  const offset = offsets.find((each) => each !== undefined);
  if (offset === undefined) {
    return { what: "clock", state: "warning", words: "not compared, as nobody answered" };
  }
  // The server's header tells whole seconds.
  const isRight = Math.abs(offset) < CLOCK_WARNING_MS;
  const side = offset > 0 ? "ahead of" : "behind";
  return {
    what: "clock",
    state: isRight ? "ok" : "warning",
    words: isRight
      ? "as the server's"
      : `${spanText(offset)} ${side} the server's: TLS may fail; let it be set from the network`,
  };
}

/** What an installation needs. */
export interface Needs extends Omit<Reach, "ca"> {
  caFile: string | undefined;
  routes: readonly Route[];
  dataDir: string;
  queueLimitBytes: number;
}

/** Looks at all that an installation needs, and changes and spends nothing. */
export async function examine(needs: Needs): Promise<Finding[]> {
  const reach: Reach = { ...needs, ca: undefined };
  try {
    if (needs.caFile !== undefined) reach.ca = readAuthority(needs.caFile);
  } catch (error) {
    return [{ what: "authority", state: "failed", words: (error as Error).message }];
  }
  const routes = await Promise.all(needs.routes.map((route) => examineRoute(route, reach)));
  const hasWay = routes.some(({ state }) => state !== "failed");
  return [
    await examineDisk(needs.dataDir, needs.queueLimitBytes),
    ...routes.map(({ what, state, words }): Finding => {
      // One way is enough; the others may be closed on purpose.
      return { what, state: state === "failed" && hasWay ? "warning" : state, words };
    }),
    judgeClock(routes.map(({ offsetMs }) => offsetMs)),
  ];
}

/** `lumetry doctor`: tells what was found. Ends with 1 when something has to be put right first. */
export async function showFindings(kind: EdgeKind, needs: Needs): Promise<void> {
  const findings = await examine(needs);
  const lines = findings.map(
    ({ state, what, words }) => `${state.padEnd(8)} ${what.padEnd(10)} ${words}`,
  );
  const isWell = findings.every(({ state }) => state !== "failed");
  const verdict = isWell
    ? `The ${kind} can work here.`
    : `The ${kind} cannot work here yet. Nothing was spent or changed: put right what failed, and ask again.`;
  process.stdout.write(`${lines.join("\n")}\n${verdict}\n`);
  process.exit(isWell ? 0 : 1);
}
