import net, { type AddressInfo } from "node:net";
import type { Clock } from "../../lib/clock.ts";
import { bind } from "../../lib/http/bind.ts";
import { type Connections, makeConnections } from "../../lib/http/connections.ts";
import { sniff } from "../../lib/http/sniff.ts";
import { type KeyPair, makeTls } from "../../lib/http/tls.ts";
import type { Log } from "../../lib/log.ts";
import type { HostPort } from "../../lib/settings.ts";
import type { Desk } from "./desk.ts";
import { makeHttp1AgentSide } from "./http1/agent-side.ts";
import { makeHttp1ServerSide } from "./http1/server-side.ts";
import { makeHttp2AgentSide } from "./http2/agent-side.ts";
import { makeHttp2ServerSide } from "./http2/server-side.ts";
import type { RelayLimits } from "./limits.ts";
import type { Tally } from "./tally.ts";
import { makeUpstream } from "./upstream.ts";

const SWEEP_MS = 1_000;

/** The open port of a relay. */
export interface RelayListener {
  readonly port: number;
  readonly connections: Pick<Connections, "open" | "refused">;
  /** New connections are shown this certificate. */
  setKeyPair(pair: KeyPair): void;
  /** Takes no more connections, and ends those that it has as soon as nothing runs on them. */
  wind(): void;
  /** Ends everything. */
  close(): Promise<void>;
}

/**
 * Takes TLS and cleartext, HTTP/1.1 and HTTP/2, on one port, and passes calls on in the version in
 * which they come. Rejects in plain words when the port cannot be had.
 */
export async function listenForAgents(options: {
  at: HostPort;
  pair: KeyPair;
  limits: RelayLimits;
  desk: Desk;
  tally: Tally;
  /** A URL, and private authorities to trust it by. */
  server: string;
  ca: string | Buffer | undefined;
  proxy?: string | undefined;
  clock: Clock;
  log: Log;
}): Promise<RelayListener> {
  const { limits, clock, log } = options;
  const connections = makeConnections(limits, clock);
  // What lies before the server may speak one version and not the other.
  const server1 = makeHttp1ServerSide({ upstream: makeUpstream(options), limits, clock });
  const server2 = makeHttp2ServerSide({ upstream: makeUpstream(options), limits, clock });
  const agents1 = makeHttp1AgentSide({ ...options, server: server1 });
  const agents2 = makeHttp2AgentSide({ ...options, server: server2 });
  const tls = makeTls({
    pair: options.pair,
    handshakeMs: limits.headersMs,
    log,
    onSecure: (socket, connection) =>
      (socket.alpnProtocol === "h2" ? agents2 : agents1).serve(socket, connection, true),
  });

  const front = net.createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 });
  front.on("connection", (socket) => {
    const connection = connections.admit(socket);
    if (!connection) return;
    sniff(socket, (spoken) => {
      if (spoken === "tls") tls.secure(connection);
      else (spoken === "http2" ? agents2 : agents1).serve(socket, connection, false);
    });
  });
  await bind(front, options.at);
  front.on("error", (error) => log.warn({ err: error }, "a connection could not be taken"));

  const sides = [agents1, agents2, server1, server2, connections];
  const sweeping = setInterval(() => {
    for (const side of sides) side.sweep();
  }, SWEEP_MS).unref();

  return {
    port: (front.address() as AddressInfo).port,
    connections,
    setKeyPair: tls.setKeyPair,
    wind() {
      front.close();
      agents1.wind();
      agents2.wind();
    },
    async close() {
      front.close();
      clearInterval(sweeping);
      await connections.close();
      server1.close();
      server2.close();
    },
  };
}
