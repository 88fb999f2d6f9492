import type pg from "pg";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { startLoop } from "../../lib/loop.ts";
import { expireWork, type Lapsed, lapseClaims, topicsOf } from "../work/lapses.ts";
import { notify } from "../work/signals.ts";

const EVERY_MS = 1_000;

/**
 * Gives work back whose lease ran out, and ends what nobody took in time; on any number of servers
 * at once.
 */
export function startLeaseKeeper(parts: {
  pool: pg.Pool;
  log: Log;
  clock: Clock;
  onLapsed: (lapsed: Lapsed) => void;
}): AsyncDisposable {
  const { pool, log, clock, onLapsed } = parts;
  const stopping = new AbortController();
  const loop = startLoop(
    async () => {
      const lapsed = [...(await lapseClaims(pool)), ...(await expireWork(pool))];
      if (lapsed.length === 0) return;
      for (const one of lapsed) onLapsed(one);
      await notify(pool, [...new Set(lapsed.flatMap(topicsOf))]);
    },
    {
      every: () => EVERY_MS,
      jitter: 0.2,
      clock,
      signal: stopping.signal,
      onError: (error) => log.warn({ err: error }, "leases could not be looked at; tried again"),
    },
  );
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await loop.done;
    },
  };
}
