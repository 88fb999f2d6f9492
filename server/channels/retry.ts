import { durationMs } from "@bufbuild/protobuf/wkt";
import type { WorkReport_DeliveryResult } from "../../gen/lumetry/edge/v1/work_service_pb.js";

/** How long a message is tried before it is a dead letter. */
export const TRIED_FOR_MS = 86_400_000;
/** How long one attempt may take. */
export const ATTEMPT_MS = 15_000;

const FIRST_WAIT_MS = 5_000;
const MOST_WAIT_MS = 4 * 3_600_000;

/** What an attempt came to. */
export interface Outcome {
  /** Of e-mail, the reply code, in which 2xx is success as well. */
  httpStatus: number;
  /** Why there was no answer, in words; empty when there was one. */
  failure: string;
  durationMs: number | undefined;
  /** What the receiver asked for. */
  retryAfterMs: number;
  /** To try again is of no use. */
  isFinal?: boolean;
}

export const isDelivered = ({ httpStatus }: Outcome): boolean =>
  httpStatus >= 200 && httpStatus < 300;

/** The receiver says that it is gone for good; everything else may pass. */
const isOver = ({ httpStatus, isFinal = false }: Outcome): boolean => isFinal || httpStatus === 410;

export type Next = { state: "done" | "failed" } | { state: "due"; waitMs: number };

/**
 * What follows an attempt: about 5 s, 20 s, 80 s … 4 h later the next one, each varied by up to a
 * quarter, until a day has passed.
 */
export function nextAttempt(
  outcome: Outcome,
  attempts: number,
  leftMs: number,
  random: () => number = Math.random,
): Next {
  if (isDelivered(outcome)) return { state: "done" };
  if (isOver(outcome)) return { state: "failed" };
  const planned = Math.min(FIRST_WAIT_MS * 4 ** (attempts - 1), MOST_WAIT_MS);
  const waitMs = Math.max(planned * (0.75 + 0.5 * random()), outcome.retryAfterMs);
  return waitMs < leftMs ? { state: "due", waitMs } : { state: "failed" };
}

export const toOutcome = (result: WorkReport_DeliveryResult): Outcome => ({
  httpStatus: result.httpStatus,
  failure: result.failure,
  durationMs: result.duration && durationMs(result.duration),
  retryAfterMs: result.retryAfter ? durationMs(result.retryAfter) : 0,
});
