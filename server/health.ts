import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import {
  type Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../gen/grpc/health/v1/health_pb.js";
import type { Clock } from "../lib/clock.ts";
import { originOf } from "./context.ts";
import { problem, Reason } from "./problem.ts";
import type { Readiness } from "./readiness.ts";

const WATCH_EVERY_MS = 1_000;
/** Watching takes no credential, and lasts. */
const MOST_WATCHERS = 1_000;
const MOST_WATCHERS_PER_ADDRESS = 32;

/** The gRPC health protocol. Every service is as well as the whole server, whose name is empty. */
export function healthService(parts: {
  /** The full names of all services. */
  names: readonly string[];
  readiness: Readiness;
  clock: Clock;
}): ServiceImpl<typeof Health> {
  const { readiness, clock } = parts;
  const known = new Set(["", ...parts.names]);
  const watchers = new Map<string, number>();
  let watching = 0;

  const statusOf = async (service: string) => {
    if (!known.has(service)) return Status.SERVICE_UNKNOWN;
    return (await readiness.reasons()).length === 0 ? Status.SERVING : Status.NOT_SERVING;
  };

  const admit = (address: string): Disposable => {
    const others = watchers.get(address) ?? 0;
    if (watching >= MOST_WATCHERS || others >= MOST_WATCHERS_PER_ADDRESS) {
      throw problem(
        Code.ResourceExhausted,
        Reason.OVERLOADED,
        "too many watch the health of this server; use Check",
        WATCH_EVERY_MS,
      );
    }
    watching += 1;
    watchers.set(address, others + 1);
    return {
      [Symbol.dispose]() {
        watching -= 1;
        const left = (watchers.get(address) ?? 1) - 1;
        if (left > 0) watchers.set(address, left);
        else watchers.delete(address);
      },
    };
  };

  return {
    async check({ service }) {
      const status = await statusOf(service);
      if (status === Status.SERVICE_UNKNOWN) {
        throw new ConnectError(`there is no service ${JSON.stringify(service)}`, Code.NotFound);
      }
      return { status };
    },

    /** Ends only with the call. */
    async *watch({ service }, context) {
      using _place = admit(originOf(context).address);
      let told: Status | undefined;
      while (!context.signal.aborted) {
        const status = await statusOf(service);
        if (status !== told) yield { status };
        told = status;
        const wake = readiness.draining.aborted
          ? context.signal
          : AbortSignal.any([context.signal, readiness.draining]);
        await clock.sleep(WATCH_EVERY_MS, wake);
      }
      throw context.signal.reason;
    },
  };
}
