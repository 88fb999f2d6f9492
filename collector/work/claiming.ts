import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { judge } from "../../edge/verdict.ts";
import type { Capability } from "../../gen/lumetry/access/v1/access_pb.js";
import type { ClaimWorkResponse, WorkService } from "../../gen/lumetry/edge/v1/work_service_pb.js";
import { makeBackoff } from "../../lib/backoff.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { span } from "./span.ts";

/** How many of each kind can be taken on. */
export interface Room {
  mostPolls: number;
  mostTests: number;
  mostDeliveries: number;
}

export interface ClaimingOptions {
  work: Client<typeof WorkService>;
  processId: string;
  /** All that this process can be asked to do, whatever this call asks for: each call declares it anew. */
  capabilities: Capability[];
  /** Asks for nothing while it is all zero. */
  room: () => Room;
  assignmentsRevision: () => bigint;
  /** How long the server may wait for work to appear. */
  waitMs: number;
  /** From one call to the next at least, so that work comes in batches. */
  paceMs: (answer: ClaimWorkResponse) => number;
  /** Take work so long before it is due. */
  aheadMs: number;
  /** `sentAt` is on the monotonic clock; claims count from it. */
  onAnswer: (answer: ClaimWorkResponse, sentAt: number) => Promise<void>;
  /** The server hands out nothing: it cannot be reached, or cannot cope. */
  onOutage: () => void;
  /** It ought to have answered, and may still: a line that is dead is silent. */
  onOverdue: () => void;
  /** The server answers, and will not: what is due is its business. */
  onDeclined: () => void;
  /** The server says that this identity is over. */
  stop: (reason: string) => void;
  clock: Clock;
  log: Log;
}

/** The answer comes within the wait, and what the network takes; a line that is cut is noticed soon. */
const NETWORK_MS = 4_000;
/** An answer that the network alone keeps back is here by then. */
const OVERDUE_MS = 1_000;
/** While there is no room. */
const LOOK_AGAIN_MS = 100;

const UNWILLING = new Set([
  Code.Unimplemented,
  Code.PermissionDenied,
  Code.FailedPrecondition,
  Code.InvalidArgument,
  Code.NotFound,
]);

/** Asks for work as long as there is room for it, one call at a time, until the signal aborts. */
export async function claimWork(options: ClaimingOptions, signal: AbortSignal): Promise<void> {
  const { work, processId, capabilities, clock, log, waitMs, paceMs, aheadMs } = options;
  const backoff = makeBackoff(500, 5_000);
  let lastProblem: string | undefined;
  while (!signal.aborted) {
    const room = options.room();
    if (room.mostPolls + room.mostTests + room.mostDeliveries === 0) {
      await clock.sleep(LOOK_AGAIN_MS, signal);
      continue;
    }
    const sentAt = clock.monotonic();
    const answered = new AbortController();
    void noteOverdue(options, AbortSignal.any([signal, answered.signal]));
    try {
      const answer = await work.claimWork(
        {
          processId,
          capabilities,
          ...room,
          wait: span(waitMs),
          ahead: span(aheadMs),
          assignmentsRevision: options.assignmentsRevision(),
        },
        { signal, timeoutMs: waitMs + NETWORK_MS },
      );
      answered.abort();
      backoff.reset();
      if (lastProblem !== undefined) log.info({}, "the server hands out work again");
      lastProblem = undefined;
      await options.onAnswer(answer, sentAt);
      const pause = paceMs(answer) - (clock.monotonic() - sentAt);
      if (pause > 0) await clock.sleep(pause, signal);
    } catch (error) {
      answered.abort();
      if (signal.aborted) return;
      const verdict = judge(error);
      if (verdict.message !== lastProblem)
        log.warn({ reason: verdict.message }, "no work can be claimed");
      lastProblem = verdict.message;
      if (verdict.action === "stop") options.stop(verdict.message);
      else if (UNWILLING.has(ConnectError.from(error).code)) options.onDeclined();
      else options.onOutage();
      await clock.sleep(backoff.next(verdict.retryAfterMs), signal);
    }
  }
}

async function noteOverdue(
  { clock, waitMs, onOverdue }: ClaimingOptions,
  answered: AbortSignal,
): Promise<void> {
  await clock.sleep(waitMs + OVERDUE_MS, answered);
  if (!answered.aborted) onOverdue();
}
