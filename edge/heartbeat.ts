import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, durationMs, timestampDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  QueueHealth_Drop_Reason as DropReason,
  type QueueHealthSchema,
  type SendHeartbeatRequest_Warning as Warning,
} from "../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { type Loop, startLoop } from "../lib/loop.ts";
import { version } from "../lib/version.ts";
import type { ClockOffset } from "./clock-offset.ts";
import type { Configuration } from "./configuration.ts";
import type { Identity } from "./identity.ts";
import type { Queue } from "./queue/queue.ts";
import type { Relaying } from "./relaying.ts";
import type { Upstream } from "./upstream.ts";
import { judge } from "./verdict.ts";

const FIRST_INTERVAL_MS = 30_000;
/** While the server cannot be reached it is asked more often than that, at first. */
const FIRST_RETRY_MS = 1_000;
const JITTER = 0.2;
const MOST_DROPS = 1_000;
/** A hundred years: beyond them a forecast says "never". */
const LONGEST_FORECAST_MS = 100 * 365 * 86_400_000;

const REASONS = {
  limit: DropReason.LIMIT,
  damage: DropReason.DAMAGE,
  unreadable: DropReason.UNREADABLE,
  unwritten: DropReason.UNWRITTEN,
} as const;

/** The queue's health in the contract's terms; `unwritten` are points that it has not been told of yet. */
function queueHealth(queue: Queue, unwritten: number): MessageInitShape<typeof QueueHealthSchema> {
  const health = queue.health();
  const { droppedPoints, damagedPoints, unreadablePoints, outsidePoints } = health;
  const lost = droppedPoints + damagedPoints + unreadablePoints + outsidePoints + unwritten;
  return {
    queueId: health.queueId,
    queuedPoints: BigInt(health.queuedPoints),
    queuedBytes: BigInt(health.diskBytes),
    limitBytes: BigInt(health.limitBytes),
    droppedPoints: BigInt(lost),
    refusedPoints: BigInt(health.refusedPoints),
    ...(health.oldestPointTime !== undefined && {
      oldestPointTime: timestampFromMs(health.oldestPointTime),
    }),
    ...(health.timeToFullMs !== undefined && {
      timeToFull: durationFromMs(Math.round(Math.min(health.timeToFullMs, LONGEST_FORECAST_MS))),
    }),
    drops: health.drops.slice(0, MOST_DROPS).map((drop) => ({
      dropId: drop.dropId,
      points: BigInt(drop.points),
      reason: REASONS[drop.reason],
      startTime: timestampFromMs(drop.startTime),
      endTime: timestampFromMs(drop.endTime),
    })),
  };
}

export interface HeartbeatParts {
  upstream: Upstream;
  identity: Identity;
  queue: Queue;
  offset: ClockOffset;
  configuration: Configuration;
  /** What operators should know about how this process is set up, asked at each beat. */
  warnings: () => Warning[];
  /** Undefined in one that does not relay for others. */
  relay: Relaying | undefined;
  /** Points that were lost and could not be entered in the queue's ledger yet. */
  unwrittenPoints: () => number;
  clock: Clock;
  log: Log;
  signal: AbortSignal;
  /** Called whenever the server has answered. */
  onAnswer: () => void;
  /** Called when the server says that this identity is over. */
  stop: (reason: string) => void;
}

/** Tells the server that this process lives, and does what it asks for in return. */
export class Heartbeat {
  readonly processId = randomUUID();
  #parts: HeartbeatParts;
  #sequence = 0n;
  #nonce = "";
  #intervalMs = FIRST_INTERVAL_MS;
  #failures = 0;
  /** What the server asked to be left alone for, the last time it was busy. */
  #leaveAloneMs = 0;
  #loop: Loop;
  lastSuccessAt: number | undefined;
  lastProblem: string | undefined;

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
    this.#loop = startLoop(() => this.#beat(), {
      every: () =>
        this.#failures === 0
          ? this.#intervalMs
          : Math.max(
              this.#leaveAloneMs,
              Math.min(this.#intervalMs, FIRST_RETRY_MS * 2 ** (this.#failures - 1)),
            ),
      jitter: JITTER,
      clock: parts.clock,
      signal: parts.signal,
      onError: (error) => this.#fail(error),
    });
  }

  /** Somebody else has reached the server: no need to wait until the next attempt. */
  hurry(): void {
    if (this.#failures > 0 && this.#leaveAloneMs === 0) this.#loop.wake();
  }

  get done(): Promise<void> {
    return this.#loop.done;
  }

  #fail(error: unknown): void {
    const verdict = judge(error);
    this.#failures = Math.min(this.#failures + 1, 10);
    // The jitter shortens waits too, so that the demand is stretched beforehand.
    this.#leaveAloneMs = verdict.retryAfterMs / (1 - JITTER);
    this.lastProblem = verdict.message;
    this.#parts.log.warn({ reason: verdict.message }, "no heartbeat");
    if (verdict.action === "stop") this.#parts.stop(verdict.message);
  }

  async #beat(): Promise<void> {
    const { upstream, queue, offset, configuration, relay, clock } = this.#parts;
    this.#sequence += 1n;
    const health = queueHealth(queue, this.#parts.unwrittenPoints());
    const sentAt = clock.sinceBoot();
    const answer = await upstream.heartbeat.sendHeartbeat({
      version,
      processId: this.processId,
      sequence: this.#sequence,
      nonce: this.#nonce,
      sentTime: timestampFromMs(clock.now()),
      queue: health,
      configRevision: configuration.revision,
      hostname: hostname(),
      warnings: this.#parts.warnings(),
      ...(relay && { relay: relay.health() }),
    });
    if (answer.receivedTime) {
      offset.measure(sentAt, clock.sinceBoot(), timestampDate(answer.receivedTime).getTime());
    }
    this.#nonce = answer.nextNonce;
    if (answer.nextHeartbeatIn) this.#intervalMs = durationMs(answer.nextHeartbeatIn);
    this.#failures = 0;
    this.lastSuccessAt = clock.now();
    this.lastProblem = undefined;
    this.#parts.onAnswer();
    const told = health.drops?.at(-1)?.dropId;
    if (told !== undefined) await this.#do("forget what was told", () => queue.forgetDrops(told));
    const policy = answer.relay;
    if (relay && policy) await this.#do("follow the zone's policy", () => relay.follow(policy));
    await this.#do("follow the configuration", () =>
      configuration.follow(upstream, answer.latestConfigRevision),
    );
    if (answer.rotateCredential) await this.#do("rotate the credential", () => this.#rotate());
  }

  /** What a heartbeat asks for: if it fails, the heartbeat was one, and the next asks again. */
  async #do(task: string, work: () => Promise<void>): Promise<void> {
    const { log, signal, stop } = this.#parts;
    try {
      await work();
    } catch (error) {
      if (signal.aborted) return;
      const verdict = judge(error);
      log.warn({ reason: verdict.message }, `cannot ${task} yet`);
      if (verdict.action === "stop") stop(verdict.message);
    }
  }

  /** Gets a new credential, keeps it, and uses it at once, which confirms it. */
  async #rotate(): Promise<void> {
    const { upstream, identity, log } = this.#parts;
    const { credential } = await upstream.credential.rotateCredential({});
    await identity.keepNext(credential);
    log.info({}, "the credential is being replaced");
    this.#loop.wake();
  }
}
