import pg from "pg";
import { makeBackoff } from "../../lib/backoff.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { ConnectionTarget } from "../db/database.ts";
import type { Queries } from "../db/transaction.ts";

/**
 * What is worth waking up for, told through the database, so that it reaches every server:
 *
 *   zone WORKSPACE ZONE          there is a test or a delivery to do
 *   worker WORKSPACE COLLECTOR   its assignments have changed, or something was taken from it
 *   work WORKSPACE ITEM          an item has come further
 *   server                       there is a delivery for the server itself
 *   plan                         a zone is to be planned
 *   notify                       a group of alerts is to be told soon
 */
export const zoneTopic = (workspaceId: string, zoneId: string) => `zone ${workspaceId} ${zoneId}`;
export const workerTopic = (workspaceId: string, collectorId: string) =>
  `worker ${workspaceId} ${collectorId}`;
export const workTopic = (workspaceId: string, workId: string) => `work ${workspaceId} ${workId}`;
export const SERVER_TOPIC = "server";
export const PLAN_TOPIC = "plan";
export const NOTIFY_TOPIC = "notify";

const CHANNEL = "lumetry_work";

/** Tells, from the commit of the caller's transaction on. */
export async function notify(queries: Queries, topics: readonly string[]): Promise<void> {
  if (topics.length === 0) return;
  await queries.query(`select pg_notify('${CHANNEL}', topic) from unnest($1::text[]) as topic`, [
    topics,
  ]);
}

/** The same of one item, as a value that a statement selects for each. */
export const tellOfWork = (workspaceId: string, workId: string): string =>
  `pg_notify('${CHANNEL}', 'work ' || ${workspaceId} || ' ' || ${workId})::text`;

export interface Signals extends AsyncDisposable {
  /**
   * Begins to listen to topics at once: whatever is told from then on is not missed, whether or not
   * somebody waits at that moment. After a loss of the connection everybody is woken.
   */
  listen(topics: readonly string[]): Listener;
}

export interface Listener extends Disposable {
  /** Settles when something was told since the last time, after `ms`, or when the signal aborts. */
  next(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A connection that says nothing may be dead: it is asked so often, and has so long to answer. */
const CHECK_EVERY_MS = 15_000;
const CHECK_MS = 5_000;

type Hear = () => void;

/** Keeps one connection of its own to the database for as long as the server runs. */
export function startSignals(
  target: ConnectionTarget,
  { log, clock }: { log: Log; clock: Clock },
): Signals {
  const stopping = new AbortController();
  const ears = new Map<string, Set<Hear>>();
  const tell = (topic: string) => {
    for (const hear of ears.get(topic) ?? []) hear();
  };
  const wakeAll = () => {
    for (const topic of ears.keys()) tell(topic);
  };

  /** Settles when the connection has broken, or the server stops. */
  const hold = async (backoff: ReturnType<typeof makeBackoff>) => {
    const client = new pg.Client({
      ...("url" in target ? { connectionString: target.url } : target),
      connectionTimeoutMillis: 5_000,
      query_timeout: CHECK_MS,
      keepAlive: true,
      application_name: "lumetry signals",
    });
    const broken = Promise.withResolvers<void>();
    client.on("error", () => broken.resolve());
    client.on("end", () => broken.resolve());
    client.on("notification", ({ payload = "" }) => tell(payload));
    const stop = () => broken.resolve();
    stopping.signal.addEventListener("abort", stop, { once: true });
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
      backoff.reset();
      // What was told while nobody listened is lost: everybody looks for themselves.
      wakeAll();
      while (!stopping.signal.aborted) {
        const nap = new AbortController();
        const ended = await Promise.race([
          broken.promise.then(() => true),
          clock.sleep(CHECK_EVERY_MS, nap.signal).then(() => false),
        ]);
        nap.abort();
        if (ended) return;
        await client.query("select 1");
      }
    } finally {
      stopping.signal.removeEventListener("abort", stop);
      await client.end().catch(() => {});
    }
  };

  const run = async () => {
    const backoff = makeBackoff(50, 5_000);
    while (!stopping.signal.aborted) {
      try {
        await hold(backoff);
      } catch (error) {
        if (stopping.signal.aborted) return;
        log.warn({ err: error }, "the connection that wakes waiting calls is down; trying again");
      }
      if (!stopping.signal.aborted) await clock.sleep(backoff.next(), stopping.signal);
    }
  };
  const running = run();

  return {
    listen(topics) {
      let heard = false;
      let wake = () => {};
      const hear = () => {
        heard = true;
        wake();
      };
      for (const topic of topics) {
        const others = ears.get(topic);
        if (others) others.add(hear);
        else ears.set(topic, new Set([hear]));
      }
      return {
        async next(ms, signal) {
          if (!heard && ms > 0) {
            const woken = new AbortController();
            wake = () => woken.abort();
            const signals = [woken.signal, stopping.signal, ...(signal ? [signal] : [])];
            await clock.sleep(ms, AbortSignal.any(signals));
            wake = () => {};
          }
          heard = false;
        },
        [Symbol.dispose]() {
          for (const topic of topics) {
            const left = ears.get(topic);
            left?.delete(hear);
            if (left?.size === 0) ears.delete(topic);
          }
        },
      };
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      wakeAll();
      await running;
    },
  };
}
