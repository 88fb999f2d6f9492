import { Code, ConnectError } from "@connectrpc/connect";
import { TooManyWaiting } from "../../lib/places.ts";
import { problem, Reason } from "../problem.ts";
import { InvalidQuery, TooMuch } from "./rules.ts";

/** Says in the caller's terms why there is no answer. */
export function explain(error: unknown): unknown {
  if (error instanceof InvalidQuery) return new ConnectError(error.message, Code.InvalidArgument);
  if (error instanceof TooMuch) {
    return problem(Code.ResourceExhausted, Reason.TOO_LARGE, error.message);
  }
  if (error instanceof TooManyWaiting) {
    return problem(Code.Unavailable, Reason.OVERLOADED, error.message, 1_000);
  }
  return error;
}

export async function explained<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw explain(error);
  }
}
