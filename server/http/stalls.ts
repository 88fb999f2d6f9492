import { constants } from "node:http2";
import type { Exchange, Response } from "./exchange.ts";

/** Breaks off exchanges whose client takes nothing more of an answer that waits for it. */
export interface Stalls {
  sweep(running: Iterable<Exchange>): void;
}

const waiting = (response: Response) =>
  ("stream" in response ? response.stream.writableLength : response.writableLength) > 0;

function breakOff(response: Response): void {
  if ("stream" in response) response.stream.close(constants.NGHTTP2_CANCEL);
  else response.socket?.destroy();
}

export function makeStalls({ stallMs }: { stallMs: number }): Stalls {
  /** Whether the timeout of a response is set; Node's own, which sees a long write progress. */
  const timed = new WeakMap<Exchange, boolean>();

  return {
    sweep(running) {
      for (const exchange of running) {
        const { response } = exchange;
        const isWaiting = waiting(response);
        const isTimed = timed.get(exchange);
        if (isWaiting === (isTimed ?? false)) continue;
        if (isTimed === undefined) response.on("timeout", () => breakOff(response));
        response.setTimeout(isWaiting ? stallMs : 0);
        timed.set(exchange, isWaiting);
      }
    },
  };
}
