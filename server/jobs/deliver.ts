import { randomUUID } from "node:crypto";
import type pg from "pg";
import type { Clock } from "../../lib/clock.ts";
import type { Dialler } from "../../lib/egress/dialler.ts";
import { requestHttp } from "../../lib/egress/http.ts";
import type { Log } from "../../lib/log.ts";
import {
  type ClaimedDelivery,
  claimDeliveries,
  nextDeliveryInMs,
  reportDelivery,
} from "../channels/direct.ts";
import { type MailParts, sendMail } from "../channels/mail.ts";
import { findMessages, type Message, type WebhookMessage } from "../channels/messages.ts";
import { ATTEMPT_MS, type Outcome } from "../channels/retry.ts";
import type { Vault } from "../sealing/vault.ts";
import { SERVER_TOPIC, type Signals } from "../work/signals.ts";
import { makeClaimTokens } from "../work/tokens.ts";

const MOST_AT_ONCE = 32;
/** What is due and not to be had waits for its channel, or is in the hands of another server. */
const LEAST_WAIT_MS = 200;
const LOOK_EVERY_MS = 10_000;
/** Answers are not looked at; this much of one lets the connection end in good order. */
const MOST_ANSWER_BYTES = 16 << 10;

export interface DeliveryParts {
  pool: pg.Pool;
  vault: Vault;
  signals: Signals;
  dialler: Dialler;
  /** Undefined for a server that has no mail server to hand mail to. */
  mail: Omit<MailParts, "dialler"> | undefined;
  log: Log;
  clock: Clock;
  onAttempt: (delivered: boolean) => void;
}

/** Sends the messages of channels that belong to no zone; on any number of servers at once. */
export function startDeliverer(parts: DeliveryParts): AsyncDisposable {
  const { pool, vault, signals, log } = parts;
  const stopping = new AbortController();
  const listener = signals.listen([SERVER_TOPIC]);
  const processId = randomUUID();
  const canMail = parts.mail !== undefined;
  const tokens = makeClaimTokens();
  const underWay = new Set<Promise<void>>();
  let slotFreed = () => {};

  const attempt = async (claimed: ClaimedDelivery, message: Message | undefined) => {
    const outcome = message
      ? await send(parts, message)
      : { ...NO_ANSWER, failure: "the channel's secrets cannot be opened by this server" };
    const isKept = await reportDelivery(pool, processId, claimed, outcome);
    if (isKept) parts.onAttempt(outcome.httpStatus >= 200 && outcome.httpStatus < 300);
  };

  const begin = (claimed: ClaimedDelivery, message: Message | undefined) => {
    const running = attempt(claimed, message)
      // Its lease runs out, and it is tried again under the same id.
      .catch((error) => log.warn({ err: error }, "a delivery's outcome could not be stored"))
      .finally(() => {
        underWay.delete(running);
        slotFreed();
      });
    underWay.add(running);
  };

  /** Begins what is due; how long to wait until there may be more. */
  const round = async (): Promise<number> => {
    const free = MOST_AT_ONCE - underWay.size;
    if (free <= 0) return LOOK_EVERY_MS;
    const taken = tokens.take(free);
    const claimed = await claimDeliveries(pool, { processId, canMail }, taken);
    tokens.giveBack(taken.slice(claimed.length));
    if (claimed.length > 0) {
      const messages = await findMessages(pool, vault, claimed, (error, deliveryId) =>
        log.error({ err: error, deliveryId }, "a message cannot be signed; tried again later"),
      );
      for (const one of claimed) begin(one, messages.get(one.deliveryId));
      return 0;
    }
    const nextMs = await nextDeliveryInMs(pool, canMail);
    return nextMs === undefined ? LOOK_EVERY_MS : Math.max(LEAST_WAIT_MS, nextMs);
  };

  const run = async () => {
    while (!stopping.signal.aborted) {
      const freed = new AbortController();
      slotFreed = () => freed.abort();
      let waitMs = LOOK_EVERY_MS;
      try {
        waitMs = Math.min(await round(), LOOK_EVERY_MS);
      } catch (error) {
        log.warn({ err: error }, "deliveries could not be looked at; tried again");
        waitMs = 1_000;
      }
      await listener.next(waitMs, AbortSignal.any([stopping.signal, freed.signal]));
    }
  };
  const running = run();

  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
      listener[Symbol.dispose]();
      await Promise.all(underWay);
    },
  };
}

const NO_ANSWER: Outcome = { httpStatus: 0, failure: "", durationMs: undefined, retryAfterMs: 0 };

/** One attempt. Never rejects: whatever goes wrong is its outcome. */
async function send(parts: DeliveryParts, message: Message): Promise<Outcome> {
  if (message.kind === "webhook") return post(parts, message);
  if (!parts.mail) return { ...NO_ANSWER, failure: "this server has no mail server: --smtp-url" };
  return sendMail({ dialler: parts.dialler, ...parts.mail }, message.mail, message);
}

async function post({ dialler, clock }: DeliveryParts, message: WebhookMessage): Promise<Outcome> {
  const begun = clock.monotonic();
  const passed = () => clock.monotonic() - begun;
  try {
    const { status, headers } = await requestHttp(dialler, {
      method: "POST",
      url: message.url,
      headers: message.headers,
      secretHeaders: message.secretHeaders,
      body: message.body,
      mostBytes: MOST_ANSWER_BYTES,
      whenLonger: "cut",
      signal: AbortSignal.timeout(ATTEMPT_MS),
      ...(message.caPem !== "" && { tls: { ca: message.caPem } }),
    });
    return {
      httpStatus: status,
      failure: "",
      durationMs: passed(),
      retryAfterMs: readRetryAfter(headers["retry-after"]),
    };
  } catch (error) {
    return { ...NO_ANSWER, failure: (error as Error).message.slice(0, 500), durationMs: passed() };
  }
}

const MOST_RETRY_AFTER_MS = 86_400_000;

/** Seconds only: a receiver's clock is nobody else's. */
function readRetryAfter(value: string | undefined): number {
  return value !== undefined && /^\d{1,6}$/.test(value)
    ? Math.min(Number(value) * 1000, MOST_RETRY_AFTER_MS)
    : 0;
}
