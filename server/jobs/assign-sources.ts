import type pg from "pg";
import type { Log } from "../../lib/log.ts";
import { planOneZone } from "../assignments/store.ts";
import { PLAN_TOPIC, type Signals } from "../work/signals.ts";
import { loseWorkers } from "../work/workers.ts";

const EVERY_MS = 1_000;

/**
 * Notices collectors that are not heard of any more, and spreads sources over those that are; on
 * any number of servers at once.
 */
export function startAssigner(parts: {
  pool: pg.Pool;
  signals: Signals;
  log: Log;
}): AsyncDisposable {
  const { pool, signals, log } = parts;
  const stopping = new AbortController();
  const listener = signals.listen([PLAN_TOPIC]);
  const run = async () => {
    while (!stopping.signal.aborted) {
      try {
        await loseWorkers(pool);
        while (!stopping.signal.aborted && (await planOneZone(pool))) {}
      } catch (error) {
        log.warn({ err: error }, "sources could not be assigned; tried again");
      }
      await listener.next(EVERY_MS, stopping.signal);
    }
  };
  const running = run();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
      listener[Symbol.dispose]();
    },
  };
}
