/** What a client may cost before it has proved anything. Milliseconds and bytes. */
export interface Limits {
  /** Open connections in all; more are refused. */
  connections: number;
  /** Open connections from one address. */
  connectionsPerAddress: number;
  /** For the headers of a request, and for a new connection to make its first one. */
  headersMs: number;
  /** For a request's whole body, from when it is first waited for. */
  bodyMs: number;
  /** For a client to take some more of an answer that waits for it. */
  stallMs: number;
  /** How long a connection without a request is kept. Clients' pings must come more often. */
  idleMs: number;
  /** For what is left of a body that nobody reads, so that its sender gets to read the answer. */
  lingerMs: number;
  headerBytes: number;
  /** At one time in one HTTP/2 session. */
  streams: number;
}

export const defaultLimits: Limits = {
  connections: 10_000,
  connectionsPerAddress: 2_000,
  headersMs: 10_000,
  bodyMs: 30_000,
  stallMs: 30_000,
  idleMs: 300_000,
  lingerMs: 2_000,
  headerBytes: 16 << 10,
  streams: 128,
};
