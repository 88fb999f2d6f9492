import http2 from "node:http2";
import type { Log } from "../log.ts";
import type { Limits } from "./limits.ts";

/** Serves HTTP/2 on connections that are handed to it by its event "connection". */
export function makeHttp2Server(
  limits: Limits,
  log: Log,
  more: http2.ServerOptions = {},
): http2.Http2Server {
  const server = http2.createServer({
    settings: {
      maxConcurrentStreams: limits.streams,
      maxHeaderListSize: limits.headerBytes,
      enablePush: false,
    },
    // What a session may do besides making requests, before it is closed.
    maxSettings: 32,
    maxOutstandingPings: 10,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    streamResetBurst: 256,
    streamResetRate: 32,
    ...more,
  });
  server.on("sessionError", (error) => log.debug({ err: error }, "an HTTP/2 session broke"));
  return server;
}
