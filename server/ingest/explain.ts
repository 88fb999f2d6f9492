import { Code, ConnectError } from "@connectrpc/connect";
import { LogClosed, LogOverloaded } from "../log/log.ts";
import { problem, Reason } from "../problem.ts";
import { RefusedRequest } from "./write.ts";

/** Says in the caller's terms why nothing of a request was taken. */
export function explain(error: unknown): unknown {
  if (error instanceof RefusedRequest) {
    return error.kind === "too_large"
      ? problem(Code.ResourceExhausted, Reason.TOO_LARGE, error.message)
      : new ConnectError(error.message, Code.InvalidArgument);
  }
  if (error instanceof LogOverloaded) {
    return problem(Code.Unavailable, Reason.OVERLOADED, error.message, error.retryAfterMs);
  }
  if (error instanceof LogClosed) {
    return problem(Code.Unavailable, Reason.OVERLOADED, error.message, 1_000);
  }
  return error;
}
