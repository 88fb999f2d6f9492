import { randomUUID } from "node:crypto";
import { Code } from "@connectrpc/connect";
import type { Clock } from "../../lib/clock.ts";
import type { Connection } from "../../lib/http/connections.ts";
import { errorBody } from "../../lib/http/error-body.ts";
import type { Limits } from "../../lib/http/limits.ts";
import { NO_TUNNEL } from "../../lib/http/refuse.ts";
import type { Log } from "../../lib/log.ts";
import { answer, troubleInside } from "./answer.ts";
import { type Exchange, isHttp2, makeExchange, type Request, type Response } from "./exchange.ts";

/** Answers a request, now or later; what it throws at once is logged and answered with 500. */
export type Handler = (exchange: Exchange) => void;

/** All requests that are being answered. */
export interface Exchanges {
  readonly running: ReadonlySet<Exchange>;
  begin(request: Request, response: Response, connection: Connection): void;
  /** Something else that is waited for as a call is, until what this returns is called. */
  hold(): () => void;
  /** From now on each answer is the last on its connection. */
  endConnections(): void;
  /** Settles once none of those runs any more, or after so many milliseconds. */
  settle(ms: number, counts: (exchange: Exchange) => boolean): Promise<void>;
}

export function makeExchanges(options: {
  limits: Limits;
  handler: Handler;
  log: Log;
  clock: Clock;
}): Exchanges {
  const { limits, handler, log, clock } = options;
  const running = new Set<Exchange>();
  let held = 0;
  let isLast = false;
  let onEnd = () => {};

  const sayLast = ({ request, response }: Exchange) => {
    if (!isHttp2(request) && !response.headersSent) response.setHeader("connection", "close");
  };

  return {
    running,
    begin(request, response, connection) {
      connection.used = true;
      const origin = { requestId: randomUUID(), address: connection.address };
      const exchange = makeExchange(request, response, origin, limits);
      if (isLast) sayLast(exchange);
      running.add(exchange);
      response.once("close", () => {
        running.delete(exchange);
        onEnd();
      });
      if (refuseEarly(exchange, limits)) return;
      try {
        handler(exchange);
      } catch (error) {
        const { requestId } = origin;
        log.error({ requestId, err: error }, "a request could not be handled");
        answer(response, 500, troubleInside(requestId));
      }
    },
    hold() {
      held += 1;
      return () => {
        held -= 1;
        onEnd();
      };
    },
    endConnections() {
      isLast = true;
      for (const exchange of running) sayLast(exchange);
    },
    async settle(ms, counts) {
      const { promise, resolve } = Promise.withResolvers<void>();
      onEnd = () => {
        if (held === 0 && ![...running].some(counts)) resolve();
      };
      onEnd();
      const settled = new AbortController();
      await Promise.race([promise, clock.sleep(ms, settled.signal)]);
      settled.abort();
    },
  };
}

/** What no handler needs to see; true when it was answered. */
function refuseEarly({ request, response }: Exchange, { headerBytes }: Limits): boolean {
  if (request.method === "CONNECT") {
    answer(response, NO_TUNNEL.status, errorBody(NO_TUNNEL.code, NO_TUNNEL.message));
    return true;
  }
  // The parser of HTTP/1 counts for itself; that of HTTP/2 only tells its clients of the limit.
  if (isHttp2(request) && sizeOf(request.rawHeaders) > headerBytes) {
    const words = `the headers of a request may take ${headerBytes} bytes together`;
    answer(response, 431, errorBody(Code.ResourceExhausted, words));
    return true;
  }
  const { expect } = request.headers;
  if (expect !== undefined && expect.toLowerCase() !== "100-continue") {
    const words = "the only expectation that is met is 100-continue";
    answer(response, 417, errorBody(Code.InvalidArgument, words));
    return true;
  }
  return false;
}

const sizeOf = (rawHeaders: readonly string[]) =>
  rawHeaders.reduce((size, text) => size + text.length + 2, 0);
