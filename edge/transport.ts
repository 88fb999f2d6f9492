import type { Interceptor, Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { type Fingerprint, makeAgent } from "./connecting.ts";
import type { Route } from "./routes.ts";

/** Small calls; short enough that a heartbeat never speaks of a time long gone. */
const CALL_TIMEOUT_MS = 15_000;

/** Whom an edge trusts, and how it gets out of its network. */
export interface Reach {
  /** A private authority in PEM form; those of the system when undefined. */
  ca: string | undefined;
  /** An HTTP proxy on the way to the server itself; collectors are called without it. */
  proxy?: string | undefined;
  /** The keys of collectors, which are then trusted by nothing else. */
  pins: readonly Fingerprint[];
}

/** Calls by one route. */
export function makeTransport(
  { kind, url }: Route,
  { ca, proxy, pins }: Reach,
  interceptors: Interceptor[] = [],
): Transport {
  const trust = kind === "collector" ? { ca, pins } : { ca, pins: [], proxy };
  return createConnectTransport({
    baseUrl: url,
    httpVersion: "1.1",
    defaultTimeoutMs: CALL_TIMEOUT_MS,
    interceptors,
    nodeOptions: { agent: makeAgent(url, trust) },
  });
}
