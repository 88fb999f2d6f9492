import { create } from "@bufbuild/protobuf";
import type { Reading } from "../../gen/lumetry/source/v1/reading_pb.js";
import {
  type SourceSecrets,
  SourceSecretsSchema,
  type SourceSettings,
} from "../../gen/lumetry/source/v1/settings_pb.js";
import type { Dialler, Trace } from "../../lib/egress/dialler.ts";
import { EgressFailure } from "../../lib/egress/failure.ts";
import type { Log } from "../../lib/log.ts";
import { Findings, PollFailed } from "./findings.ts";
import type { HeldBytes } from "./held-bytes.ts";
import { pollSource } from "./kinds/poll.ts";

/** After the budget everything is closed at once; whatever does not end then is left to itself. */
const GRACE_MS = 250;
/** Why a signal aborts; without a reason, each abort would cost an error with its stack. */
const OVER = "over";

export interface ReadingOrder {
  settings: SourceSettings | undefined;
  secrets: SourceSecrets | undefined;
  budgetMs: number;
  /** Ends it early: nobody wants the reading any more. */
  signal: AbortSignal;
  /** Hears of each phase at its start. */
  onPhase?: Trace | undefined;
}

export interface ReadingParts {
  dialler: Dialler;
  heldBytes: HeldBytes;
  log: Log;
}

/** What one poll came to, and whether it took all the time that it had. */
export interface Taken {
  reading: Reading;
  /** Milliseconds. */
  spentMs: number;
  ranOutOfTime: boolean;
}

/** Polls a source once. Never throws: a failure is a reading, too; always ends within the budget. */
export async function takeReading(order: ReadingOrder, parts: ReadingParts): Promise<Taken> {
  const { settings, budgetMs, onPhase } = order;
  const secrets = order.secrets ?? create(SourceSecretsSchema);
  const findings = new Findings({ onPhase });
  const begun = performance.now();
  const ending = new AbortController();
  const signal = AbortSignal.any([order.signal, ending.signal]);
  using held = parts.heldBytes.open();
  const { dialler } = parts;
  const { promise: overtime, resolve: giveUp } = Promise.withResolvers<"overtime">();
  let grace: NodeJS.Timeout | undefined;
  const end = () => {
    grace ??= setTimeout(() => giveUp("overtime"), GRACE_MS);
  };
  signal.addEventListener("abort", end, { once: true });
  const budget = setTimeout(() => ending.abort(OVER), budgetMs);
  let failure: string | undefined;
  let ranOutOfTime = false;
  try {
    if (!settings) throw new PollFailed("there are no settings");
    const charge = (bytes: number) => held.charge(bytes);
    const poll = pollSource(settings, { secrets, dialler, signal, budgetMs, charge, findings });
    poll.catch(() => {}); // when it ends too late for anybody to hear
    if ((await Promise.race([poll, overtime])) === "overtime") {
      ranOutOfTime = true;
      failure = `took longer than ${budgetMs} ms`;
    }
  } catch (error) {
    ranOutOfTime = ending.signal.aborted;
    failure = wordsFor(error, parts.log);
  } finally {
    clearTimeout(budget);
    clearTimeout(grace);
    signal.removeEventListener("abort", end);
    // A poll that is over has nothing left to close, or it should have.
    ending.abort(OVER);
  }
  return { reading: findings.conclude(failure), spentMs: performance.now() - begun, ranOutOfTime };
}

function wordsFor(error: unknown, log: Log): string {
  if (error instanceof PollFailed || error instanceof EgressFailure) return error.message;
  log.error({ err: error }, "a poll failed in a way that was not foreseen");
  return `this collector could not poll it: ${(error as Error).message}`;
}
