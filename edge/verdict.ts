import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { ProblemSchema, Problem_Reason as Reason } from "../gen/lumetry/access/v1/problem_pb.js";
import { NotConnected } from "./not-connected.ts";

/**
 * What an edge does about a failed call, in one table:
 * - retry: later, with the same content
 * - split: never as it is; in smaller parts
 * - other_credential: with another credential if there is one, else later
 * - stop: never again
 */
export type Action = "retry" | "split" | "other_credential" | "stop";

/**
 * What a failed call says about the route that it took:
 * - keep: the server itself has answered, so that the route is good
 * - doubt: the connection broke, or something answered that is not Lumetry; once is no reason to leave
 * - leave: there is no way to the server here at present
 */
export type Bearing = "keep" | "doubt" | "leave";

export interface Verdict {
  action: Action;
  route: Bearing;
  /** At least this long before the next attempt, as the server asked. */
  retryAfterMs: number;
  /** The server certainly has not stored what was sent. False means that it may have. */
  nothingStored: boolean;
  /** For people and logs. */
  message: string;
}

/** Said by the relay of a collector, or by the server about that relay: another way may work. */
const OF_THE_RELAY = new Set([
  Reason.RELAY_REFUSED,
  Reason.UPSTREAM_UNREACHABLE,
  Reason.RELAY_BUSY,
]);

export function judge(thrown: unknown): Verdict {
  const error = ConnectError.from(thrown);
  const problem = error.findDetails(ProblemSchema)[0];
  const verdict = (action: Action, route: Bearing, nothingStored: boolean): Verdict => ({
    action,
    route,
    nothingStored,
    retryAfterMs: problem?.retryAfter ? durationMs(problem.retryAfter) : 0,
    message: error.rawMessage,
  });
  if (error.cause instanceof NotConnected) return verdict("retry", "leave", true);
  if (problem && OF_THE_RELAY.has(problem.reason)) {
    // A relay that has lost the server may have lost it after passing the call on.
    return verdict("retry", "leave", problem.reason !== Reason.UPSTREAM_UNREACHABLE);
  }
  // Without a Problem it may be a proxy or a portal on the way that speaks, not Lumetry.
  const speaker = problem ? "keep" : "doubt";
  switch (error.code) {
    case Code.Unauthenticated:
      if (!problem) return verdict("retry", "doubt", true);
      if (problem.reason === Reason.REVOKED) return verdict("stop", "keep", true);
      return verdict("other_credential", "keep", true);
    case Code.ResourceExhausted:
      // Without a Problem it comes from the limit on message sizes.
      return verdict(problem?.reason === Reason.OVERLOADED ? "retry" : "split", "keep", true);
    case Code.InvalidArgument:
    case Code.OutOfRange:
      return verdict("split", "keep", true);
    case Code.PermissionDenied:
    case Code.FailedPrecondition:
    case Code.Unimplemented:
      return verdict("retry", speaker, true);
    case Code.DeadlineExceeded:
      return verdict("retry", problem ? "keep" : "leave", false);
    default:
      return verdict("retry", speaker, false);
  }
}
