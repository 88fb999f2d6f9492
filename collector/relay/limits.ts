import { defaultLimits, type Limits } from "../../lib/http/limits.ts";

/** What agents may cost a collector. Milliseconds and bytes; the server has limits of its own. */
export interface RelayLimits extends Limits {
  /** Calls under way in all, and from one address; more are turned away. */
  calls: number;
  callsPerAddress: number;
  /** Of a request's body: what goes beyond is not passed on, since the server takes no more. */
  bodyBytes: number;
  /** For the server to begin its answer once it has the whole request. */
  answerMs: number;
  /** For a connection to the server, its TLS handshake included. */
  connectMs: number;
  /** Connections of HTTP/1.1 to the server, in all and kept without a call; further calls wait. */
  upstreamConnections: number;
  upstreamIdle: number;
  /** How long an unused connection to the server is kept: less than servers and firewalls do. */
  upstreamIdleMs: number;
}

export const defaultRelayLimits: RelayLimits = {
  ...defaultLimits,
  connections: 4_000,
  connectionsPerAddress: 256,
  // A little longer than the server's own, so that it is the server that says so.
  bodyMs: defaultLimits.bodyMs + 5_000,
  calls: 2_000,
  callsPerAddress: 64,
  bodyBytes: (4 << 20) + (64 << 10),
  answerMs: 30_000,
  connectMs: 5_000,
  upstreamConnections: 512,
  upstreamIdle: 64,
  upstreamIdleMs: 60_000,
};
