import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { ProblemSchema, Problem_Reason as Reason } from "../gen/lumetry/access/v1/problem_pb.js";

export { Reason };

/** An error that a person can read and a program can act on. */
export function problem(
  code: Code,
  reason: Reason,
  message: string,
  retryAfterMs?: number,
): ConnectError {
  const detail = create(ProblemSchema, { reason });
  if (retryAfterMs !== undefined) detail.retryAfter = durationFromMs(Math.ceil(retryAfterMs));
  const headers: Record<string, string> =
    retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1000)) };
  return new ConnectError(message, code, headers, [{ desc: ProblemSchema, value: detail }]);
}

/** The one answer for what does not exist and for what belongs to another workspace. */
export function notFound(noun: string, id: string): ConnectError {
  return new ConnectError(`there is no ${noun} ${JSON.stringify(id)}`, Code.NotFound);
}
