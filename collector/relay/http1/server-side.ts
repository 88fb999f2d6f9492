import { MetricsService } from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import type { Clock } from "../../../lib/clock.ts";
import type { RelayLimits } from "../limits.ts";
import type { Upstream } from "../upstream.ts";
import { Ask } from "./ask.ts";
import type { Answering, Asking } from "./asking.ts";
import { type Pool, ServerConnection } from "./server-connection.ts";

/** Connections of HTTP/1.1 to the server, each used for one call at a time. */
export interface Http1ServerSide {
  readonly upstream: Upstream;
  /** What is asked for, as the request's first line says it, and in what form. */
  ask(answering: Answering, target: string, contentType: string): Asking;
  sweep(): void;
  close(): void;
}

/**
 * Connections that are being made at one time. When many calls come at once, most of them are served
 * sooner by one that comes free than by a handshake of their own, and each connection costs memory.
 */
const MOST_OPENING = 8;

/**
 * The server answers small writes of points in this form sooner on a connection that has carried nothing
 * else. So each call takes, of the connections that are idle, one that has carried its like.
 */
const WRITES = `/${MetricsService.typeName}/${MetricsService.method.writeMetrics.name}`;
const WRITTEN_AS = "application/proto";

export function makeHttp1ServerSide(options: {
  upstream: Upstream;
  limits: RelayLimits;
  clock: Clock;
}): Http1ServerSide {
  const { limits, clock } = options;
  const open = new Set<ServerConnection>();
  /** Of these, the ones that are being made. */
  const opening = new Set<ServerConnection>();
  /** The one used last comes last, and is used first: the others may grow old. */
  let idle: ServerConnection[] = [];
  /** Calls for which there is no connection yet, in order of arrival. */
  const waiting = new Set<Ask>();

  const serve = (connection: ServerConnection): boolean => {
    const [next] = waiting;
    if (!next) return false;
    waiting.delete(next);
    next.take(connection);
    if (next.flush()) next.answering.onDrain();
    return true;
  };
  const mayConnect = () => opening.size < MOST_OPENING && open.size < limits.upstreamConnections;
  const takeIdle = (isWrite: boolean) => {
    const at = idle.findLastIndex((connection) => connection.hasCarriedOnlyWrites === isWrite);
    return at < 0 ? idle.pop() : idle.splice(at, 1)[0];
  };
  const connect = () => {
    const connection = new ServerConnection(pool);
    open.add(connection);
    opening.add(connection);
    return connection;
  };
  const connectForNext = () => {
    if (waiting.size > 0 && mayConnect()) serve(connect());
  };
  const pool: Pool = {
    ...options,
    session: undefined,
    reached(connection) {
      opening.delete(connection);
      connectForNext();
    },
    release(connection) {
      if (serve(connection)) return true;
      const isKept = idle.length < limits.upstreamIdle;
      if (isKept) idle.push(connection);
      return isKept;
    },
    forget(connection, missed) {
      if (!open.delete(connection)) return;
      opening.delete(connection);
      idle = idle.filter((other) => other !== connection);
      // What holds for new calls now holds for those that wait.
      if (missed && options.upstream.outage() !== undefined) {
        const left = [...waiting];
        waiting.clear();
        for (const ask of left) ask.answering.onFail(missed);
      }
      connectForNext();
    },
  };

  return {
    upstream: options.upstream,
    ask(answering, target, contentType) {
      const isWrite = target === WRITES && contentType === WRITTEN_AS;
      const ask = new Ask(answering, isWrite, () => waiting.delete(ask));
      const connection = takeIdle(isWrite);
      if (connection) ask.take(connection);
      else if (mayConnect()) ask.take(connect());
      else waiting.add(ask);
      return ask;
    },
    sweep() {
      const latest = clock.monotonic() - limits.upstreamIdleMs;
      for (const connection of [...idle]) if (connection.idleSince < latest) connection.close();
    },
    close() {
      waiting.clear();
      for (const connection of [...open]) connection.close();
    },
  };
}
