import type { RelayLimits } from "./limits.ts";

/** When things happened to one call, in monotonic milliseconds. */
export interface CallTimes {
  readonly since: number;
  /** When the whole request had come; undefined before. */
  askedAt: number | undefined;
  /** Whether the server's answer has begun. */
  isAnswered: boolean;
  /** When last some of the answer came or went. */
  movedAt: number;
}

/** What a call has waited for too long; undefined while all is well. */
export function overdue(
  { since, askedAt, isAnswered, movedAt }: CallTimes,
  limits: RelayLimits,
  now: number,
): "request" | "answer" | "rest" | undefined {
  if (isAnswered) return now - movedAt > limits.stallMs ? "rest" : undefined;
  if (askedAt !== undefined) return now - askedAt > limits.answerMs ? "answer" : undefined;
  return now - since > limits.bodyMs ? "request" : undefined;
}
