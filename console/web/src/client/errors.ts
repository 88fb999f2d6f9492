import { Code, ConnectError } from "@connectrpc/connect";
import {
  ProblemSchema,
  Problem_Reason as Reason,
} from "../../../../gen/lumetry/access/v1/problem_pb.js";
import { spanText } from "../words/ages.ts";
import { sentence } from "../words/counts.ts";

/** A failure in words: what is the matter, and what to do. */
export interface Explained {
  message: string;
  hint: string | undefined;
  /** Asking again may help. */
  isPassing: boolean;
}

const HINTS: Partial<Record<Reason, string>> = {
  [Reason.CREDENTIAL_EXPIRED]: "Sign in again.",
  [Reason.TOO_LARGE]: "Ask for less at once.",
  [Reason.CONFLICT]: "Look at how it is now, and try again.",
  [Reason.DUPLICATE_SUSPECTED]:
    "Find out which process owns the identity, then dismiss the suspicion.",
};

export function explain(error: unknown): Explained {
  if (!(error instanceof ConnectError)) {
    const message = error instanceof Error ? error.message : String(error);
    return { message: sentence(message), hint: undefined, isPassing: false };
  }
  const [problem] = error.findDetails(ProblemSchema);
  const message = sentence(error.rawMessage);
  const wait = problem?.retryAfter && Number(problem.retryAfter.seconds) * 1000;
  const told = wait ? `Try again in ${spanText(wait)}.` : HINTS[problem?.reason ?? 0];
  switch (error.code) {
    case Code.Unknown:
    case Code.Internal:
      // fetch says no more than this when nothing answers.
      return error.cause instanceof TypeError || /fetch|network/i.test(error.rawMessage)
        ? {
            message: "The server cannot be reached.",
            hint: "It may be restarting, or the network in between is away. This page goes on trying.",
            isPassing: true,
          }
        : { message, hint: told, isPassing: false };
    case Code.Unavailable:
      return { message, hint: told ?? "This page goes on trying.", isPassing: true };
    case Code.DeadlineExceeded:
      return {
        message: "The server did not answer in time.",
        hint: "It may be busy. Ask for less at once, or try again.",
        isPassing: true,
      };
    case Code.PermissionDenied:
      return {
        message,
        hint: told ?? "An administrator can give you another role, under People.",
        isPassing: false,
      };
    case Code.ResourceExhausted:
      return { message, hint: told, isPassing: problem?.reason === Reason.OVERLOADED };
    default:
      return { message, hint: told, isPassing: false };
  }
}

/** One sentence, or two. */
export function explainShortly(error: unknown): string {
  const { message, hint } = explain(error);
  return hint ? `${message} ${hint}` : message;
}
