import net, { type AddressInfo } from "node:net";
import { type Clock, systemClock } from "../lib/clock.ts";
import { bind } from "../lib/http/bind.ts";
import { makeConnections } from "../lib/http/connections.ts";
import { defaultLimits, type Limits } from "../lib/http/limits.ts";
import { NOT_TLS, refuse } from "../lib/http/refuse.ts";
import { sniff } from "../lib/http/sniff.ts";
import { type KeyPair, makeTls } from "../lib/http/tls.ts";
import type { Log } from "../lib/log.ts";
import type { HostPort } from "../lib/settings.ts";
import type { Exchange } from "./http/exchange.ts";
import { type Handler, makeExchanges } from "./http/exchanges.ts";
import type { FastRoute } from "./http/fast-path.ts";
import { makeStalls } from "./http/stalls.ts";
import { makeVersions, SWEEP_MS } from "./http/versions.ts";

export type { Exchange, Handler, KeyPair };

export interface Listener {
  readonly port: number;
  /** Open connections now, and how many were refused for being too many. */
  readonly connections: { open: number; refused: number };
  /** New connections get this certificate; those that are open keep theirs. */
  setKeyPair(pair: KeyPair): void;
  /** Refuses new connections and waits for running calls, at most so many milliseconds. */
  drain(ms: number): Promise<void>;
  /** Closes every connection. Safe to call twice. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** For streams that were ended to tell so, once the listener closes. */
const FAREWELL_MS = 1_000;

/**
 * Serves HTTP/1.1 and HTTP/2 on one port: over TLS, or in cleartext when there is no key pair.
 * Rejects in plain words when the port is taken or not allowed.
 */
export async function listen(options: {
  at: HostPort;
  tls: KeyPair | undefined;
  log: Log;
  handler: Handler;
  fastRoute?: FastRoute;
  limits?: Partial<Limits>;
  clock?: Clock;
}): Promise<Listener> {
  const { at, log, handler, fastRoute, clock = systemClock } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const connections = makeConnections(limits, clock);
  const exchanges = makeExchanges({ limits, handler, log, clock });
  const versions = makeVersions({ limits, exchanges, fastRoute, log, clock });
  const stalls = makeStalls(limits);
  const tls =
    options.tls &&
    makeTls({
      pair: options.tls,
      handshakeMs: limits.headersMs,
      log,
      onSecure: (socket, connection) =>
        versions.serve(socket, socket.alpnProtocol === "h2" ? "HTTP/2" : "HTTP/1", connection),
    });

  const front = net.createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 });
  front.on("connection", (socket) => {
    const connection = connections.admit(socket);
    if (!connection) return;
    sniff(socket, (spoken) => {
      if (!tls) versions.serve(socket, spoken === "http2" ? "HTTP/2" : "HTTP/1", connection);
      else if (spoken === "tls") tls.secure(connection);
      else refuse(socket, NOT_TLS, limits.lingerMs);
    });
  });
  await bind(front, at);
  // Once it listens, an error is one connection's that could not be taken.
  front.on("error", (error) => log.warn({ err: error }, "a connection could not be taken"));

  const sweeping = setInterval(() => {
    connections.sweep();
    versions.sweep();
    stalls.sweep(exchanges.running);
  }, SWEEP_MS).unref();

  let isDraining = false;
  const refuseMore = () => {
    if (isDraining) return;
    isDraining = true;
    front.close();
    versions.wind();
  };
  let closing: Promise<void> | undefined;
  const close = async () => {
    refuseMore();
    await exchanges.settle(FAREWELL_MS, () => true);
    clearInterval(sweeping);
    versions.close();
    await connections.close();
  };

  return {
    port: (front.address() as AddressInfo).port,
    get connections() {
      return { open: connections.open.size, refused: connections.refused };
    },
    setKeyPair: (pair) => tls?.setKeyPair(pair),
    async drain(ms) {
      refuseMore();
      await exchanges.settle(ms, ({ manner }) => manner === "call");
    },
    [Symbol.asyncDispose]: () => {
      closing ??= close();
      return closing;
    },
  };
}
