import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Code, ConnectError } from "@connectrpc/connect";
import {
  ProblemSchema,
  type Problem_Reason as Reason,
} from "../../gen/lumetry/access/v1/problem_pb.js";

/** How a call was refused: the code, the sentence, and what the attached Problem says. */
export interface Refusal {
  code: Code;
  message: string;
  reason: Reason | undefined;
  retryAfterMs: number | undefined;
}

/** Waits for a call to be refused; throws when it is answered. */
export async function refused(call: Promise<unknown>): Promise<Refusal> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => ConnectError.from(thrown),
  );
  if (!error) throw new Error("the call was answered, and should have been refused");
  const [problem] = error.findDetails(ProblemSchema);
  return {
    code: error.code,
    message: error.rawMessage,
    reason: problem?.reason,
    retryAfterMs: problem?.retryAfter && durationMs(problem.retryAfter),
  };
}

/** What came of calls made at once: how many were answered, and the codes of the others. */
export async function outcomes(
  calls: Promise<unknown>[],
): Promise<{ answered: number; codes: Code[] }> {
  const { answered, refusals } = await refusalsOf(calls);
  return { answered, codes: refusals.map(({ code }) => code) };
}

/** The same with what each refusal says. */
export async function refusalsOf(
  calls: Promise<unknown>[],
): Promise<{ answered: number; refusals: Refusal[] }> {
  const settled = await Promise.allSettled(calls);
  const failed = settled.filter((outcome) => outcome.status === "rejected");
  const refusals = await Promise.all(failed.map(({ reason }) => refused(Promise.reject(reason))));
  return { answered: calls.length - refusals.length, refusals };
}
