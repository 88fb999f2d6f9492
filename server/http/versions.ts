import http from "node:http";
import type net from "node:net";
import type { Clock } from "../../lib/clock.ts";
import type { Connection } from "../../lib/http/connections.ts";
import { makeHttp2Server } from "../../lib/http/http2-server.ts";
import type { Limits } from "../../lib/http/limits.ts";
import { NO_TUNNEL, refusalFor, refuse } from "../../lib/http/refuse.ts";
import { makeSessions } from "../../lib/http/sessions.ts";
import type { Log } from "../../lib/log.ts";
import { isHttp2, type Request, type Response } from "./exchange.ts";
import type { Exchanges } from "./exchanges.ts";
import { type FastRoute, makeFastPath } from "./fast-path.ts";

export type Version = "HTTP/1" | "HTTP/2";

/** Both versions of HTTP, on connections that somebody else accepts. */
export interface Versions {
  /** Serves a connection of which nothing was read, whether TLS or not. */
  serve(socket: net.Socket, version: Version, connection: Connection): void;
  /** To be called every SWEEP_MS. */
  sweep(): void;
  /** Closes connections as soon as nothing runs on them. */
  wind(): void;
  /** Stops what goes on in the background; connections are their owner's to close. */
  close(): void;
}

export const SWEEP_MS = 1_000;

export function makeVersions(options: {
  limits: Limits;
  exchanges: Exchanges;
  /** What need not go by Node's HTTP. */
  fastRoute: FastRoute | undefined;
  log: Log;
  clock: Clock;
}): Versions {
  const { limits, exchanges, fastRoute, log, clock } = options;
  const sessions = makeSessions(limits, clock);
  /** By the socket or the session that requests come by. */
  const connectionOf = new WeakMap<object, Connection>();
  let isWinding = false;

  const onRequest = (request: Request, response: Response) => {
    const carrier = isHttp2(request) ? request.stream.session : request.socket;
    const connection = carrier && connectionOf.get(carrier);
    if (connection) exchanges.begin(request, response, connection);
    else response.destroy();
  };

  const http1 = makeHttp1(limits, exchanges, log);
  const http2Server = makeHttp2Server(limits, log);
  for (const server of [http1, http2Server]) {
    server.on("request", onRequest);
    server.on("checkContinue", onRequest);
    server.on("checkExpectation", onRequest);
  }
  http2Server.on("connect", onRequest);

  const serveHttp1 = (socket: net.Socket, connection: Connection) => {
    connectionOf.set(socket, connection);
    http1.emit("connection", socket);
  };
  const fastPath =
    fastRoute && makeFastPath({ route: fastRoute, limits, exchanges, log, onOther: serveHttp1 });

  /** Whose session is being made, at once and in the same breath. */
  let arriving: Connection | undefined;
  http2Server.on("session", (session) => {
    if (!arriving) return session.destroy();
    connectionOf.set(session, arriving);
    sessions.watch(session, arriving);
  });

  return {
    serve(socket, version, connection) {
      if (isWinding) {
        socket.destroy();
      } else if (version === "HTTP/1") {
        if (fastPath) fastPath.serve(socket, connection);
        else serveHttp1(socket, connection);
      } else {
        arriving = connection;
        http2Server.emit("connection", socket);
        arriving = undefined;
      }
    },
    sweep() {
      sessions.sweep();
      if (isWinding) http1.closeIdleConnections();
    },
    wind() {
      isWinding = true;
      exchanges.endConnections();
      fastPath?.wind();
      http1.closeIdleConnections();
      sessions.close();
    },
    close() {
      http1.close();
    },
  };
}

function makeHttp1(limits: Limits, exchanges: Exchanges, log: Log): http.Server {
  const server = http.createServer({
    headersTimeout: limits.headersMs,
    requestTimeout: 0, // the body has a deadline of its own, from when it is waited for
    keepAliveTimeout: limits.idleMs,
    maxHeaderSize: limits.headerBytes,
    connectionsCheckingInterval: SWEEP_MS,
    requireHostHeader: false, // checked for both versions at once, and answered in words
  });
  // It gets its connections by hand: this starts what else it does when it listens, its timeouts.
  server.emit("listening");

  server.on("clientError", (error, socket) => {
    if (socket.writableEnded) return; // answered already: these are the rest of it
    log.debug({ err: error }, "a connection broke or sent no proper request");
    const here = [...exchanges.running].filter(
      ({ request }) => !isHttp2(request) && request.socket === socket,
    );
    const last = here.at(-1);
    const tell = () => {
      if (socket.writable) refuse(socket, refusalFor(error), limits.lingerMs);
      else socket.destroy();
    };
    // Nothing may be written in front of or into the answer to another request.
    if (last?.request.complete) last.response.once("close", tell);
    else if (here.length > 1 || last?.response.headersSent) socket.destroy();
    else tell();
  });
  server.on("connect", (_request, socket) => {
    socket.on("error", () => {});
    refuse(socket, NO_TUNNEL, limits.lingerMs);
  });
  return server;
}
