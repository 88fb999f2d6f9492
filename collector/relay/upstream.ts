import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, createSecureContext } from "node:tls";
import { Tunnel } from "../../edge/tunnel.ts";
import { makeBackoff } from "../../lib/backoff.ts";
import type { Clock } from "../../lib/clock.ts";

/** While the server cannot be reached, calls are refused at once for up to so long between attempts. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

/** The server that calls are passed on to. */
export interface Upstream {
  /** As a URL writes it, with a port where it is not the usual one. */
  readonly authority: string;
  readonly host: string;
  readonly port: number;
  /** Undefined when the way to the server is not encrypted. */
  readonly tls: ConnectionOptions | undefined;
  /** A way through the proxy to speak TLS on; undefined where there is no proxy. */
  tunnel(): Duplex | undefined;
  /** Why it is taken to be out of reach just now; undefined when a call is worth an attempt. */
  outage(): string | undefined;
  /** A connection was made. */
  reached(): void;
  /** None could be made. */
  missed(error: Error): void;
}

export function makeUpstream(options: {
  server: string;
  /** Private authorities to trust, in PEM form; the system's when undefined. */
  ca: string | Buffer | undefined;
  /** An HTTP proxy on the way, where it is encrypted. */
  proxy?: string | undefined;
  clock: Clock;
  random?: () => number;
}): Upstream {
  const { protocol, host: authority, hostname, port } = new URL(options.server);
  const isEncrypted = protocol === "https:";
  const host = hostname.replace(/^\[|\]$/g, "");
  const place = { host, port: Number(port || (isEncrypted ? 443 : 80)) };
  const backoff = makeBackoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS, options.random);
  let pauseUntil = 0;
  let problem = "";

  return {
    authority,
    ...place,
    tunnel: () =>
      isEncrypted && options.proxy !== undefined ? new Tunnel(options.proxy, place) : undefined,
    tls: isEncrypted
      ? {
          ...(isIP(host) === 0 && { servername: host }),
          // Made anew for each connection, all that is known of authorities would be as well.
          secureContext: createSecureContext(options.ca === undefined ? {} : { ca: options.ca }),
        }
      : undefined,
    outage: () => (options.clock.monotonic() < pauseUntil ? problem : undefined),
    reached() {
      pauseUntil = 0;
      backoff.reset();
    },
    missed(error) {
      problem = wordsFor(error);
      pauseUntil = options.clock.monotonic() + backoff.next();
    },
  };
}

const WORDS: Record<string, string> = {
  ECONNREFUSED: "nothing listens at its address",
  ENOTFOUND: "its name is not known",
  EAI_AGAIN: "its name cannot be looked up",
  ENETUNREACH: "there is no route to it",
  EHOSTUNREACH: "there is no route to it",
  ETIMEDOUT: "it does not answer",
  ECONNRESET: "the connection broke",
  EPIPE: "the connection broke",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate comes from an authority that is not trusted here",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate comes from an authority that is not trusted here",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "its certificate comes from an authority that is not trusted here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "its certificate comes from an authority that is not trusted here",
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: "what answers at its address speaks no HTTP/2",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
};

/** The end of "the collector cannot reach the server: …". */
export const wordsFor = (error: NodeJS.ErrnoException) =>
  WORDS[error.code ?? ""] ?? error.message.slice(0, 200);
