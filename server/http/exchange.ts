import type http from "node:http";
import type http2 from "node:http2";
import type { Origin } from "../context.ts";
import { readBody, readWhole } from "./body.ts";

export type Request = http.IncomingMessage | http2.Http2ServerRequest;
export type Response = http.ServerResponse | http2.Http2ServerResponse;

/**
 * How long an exchange may go on: a "call" is waited for when the server stops; a "watch" answers
 * for as long as it likes and a "conversation" sends and receives so: these are ended.
 */
export type Manner = "call" | "watch" | "conversation";

/** One request and its answer. */
export interface Exchange {
  readonly request: Request;
  readonly response: Response;
  /** Where it comes from: at first the other end of the connection, then a client behind a proxy. */
  origin: Origin;
  manner: Manner;
  /** The request's body, once, in pieces; see readBody. */
  body(mostBytes: number): AsyncIterable<Uint8Array>;
  /** The same in one piece; see readWhole. */
  whole(mostBytes: number): Promise<Uint8Array>;
}

export const isHttp2 = (request: Request): request is http2.Http2ServerRequest =>
  "stream" in request;
const isHttp1 = (response: Response): response is http.ServerResponse => !("stream" in response);

/** Whether there is nobody left to answer. */
export const isGone = ({ request, response }: Exchange): boolean =>
  isHttp2(request) ? request.stream.destroyed : response.destroyed;

export function makeExchange(
  request: Request,
  response: Response,
  origin: Origin,
  limits: { bodyMs: number; lingerMs: number },
): Exchange {
  // What nobody listens for would end the process.
  request.on("error", () => {});
  response.on("error", () => {});
  response.setHeader("x-request-id", origin.requestId);
  let awaitsContinue = request.headers.expect?.toLowerCase() === "100-continue";
  const keepsAlive = isHttp1(response) && response.shouldKeepAlive;
  // Without its 100, a client may leave the body out: what follows could be taken for it.
  if (awaitsContinue && isHttp1(response)) response.shouldKeepAlive = false;

  const askForBody = () => {
    if (!awaitsContinue || response.headersSent) return;
    awaitsContinue = false;
    response.writeContinue();
    if (isHttp1(response)) response.shouldKeepAlive = keepsAlive;
  };
  const { bodyMs } = limits;

  const exchange: Exchange = {
    request,
    response,
    origin,
    manner: "call",
    body(mostBytes) {
      return (async function* () {
        askForBody();
        yield* readBody(request, exchange.manner, { mostBytes, bodyMs });
      })();
    },
    whole(mostBytes) {
      askForBody();
      return readWhole(request, { mostBytes, bodyMs });
    },
  };
  response.once("finish", () => letGoOfBody(exchange, limits.lingerMs));
  return exchange;
}

/** An answer may come before the end of the body: the rest is of no interest, and must end soon. */
function letGoOfBody({ request }: Exchange, lingerMs: number): void {
  if (request.complete) return;
  if (isHttp2(request)) {
    request.stream.close();
    return;
  }
  const { socket } = request;
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  request.once("close", () => clearTimeout(timer));
  request.resume();
}
