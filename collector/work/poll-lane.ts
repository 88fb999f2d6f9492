import type { Clock } from "../../lib/clock.ts";
import { FairQueue } from "./fair-queue.ts";
import { type Pace, type PollHistory, SLOW_MS } from "./poll-history.ts";
import type { Taken } from "./take-reading.ts";

/** One poll that is to be made. */
export interface PollJob {
  sourceId: string;
  /** When it should have started, on the monotonic clock. */
  dueAt: number;
  /** Not started after this, on the monotonic clock: it would be of no use any more. */
  skipAfter: number;
  /** Never rejects. */
  run(): Promise<Taken>;
  /** Afterwards, when what is known of the source takes this poll in. */
  done(taken: Taken): void;
  /** In place of both, when it comes to nothing. */
  skip(): void;
}

export interface PollLaneOptions {
  slots: number;
  history: PollHistory;
  clock: Clock;
}

/** Counts since the start of the process. */
export interface PollLaneStatus {
  slots: number;
  running: number;
  /** Those of them that have run, or are expected to run, for more than a second. */
  slow: number;
  waiting: number;
  started: number;
  skipped: number;
  /** The largest since it was last taken, in milliseconds. */
  latenessMs: number;
}

/** Of the slots: for polls that are slow, and for those together with sources that nobody knows yet. */
const SLOW_SHARE = 1 / 2;
const UNPROVEN_SHARE = 3 / 4;

/**
 * The slots in which sources are polled: fair by time, at most one poll of a source at once. Slow
 * and unknown ones get a share of the slots only, so that however many sources hang, the others go on.
 */
export class PollLane {
  readonly #options: PollLaneOptions;
  readonly #queue = new FairQueue<PollJob>();
  #running = new Map<string, { since: number; pace: Pace }>();
  #started = 0;
  #skipped = 0;
  #latenessMs = 0;
  /** Those that run, for whoever waits for their end. */
  #ends = new Set<Promise<void>>();

  constructor(options: PollLaneOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** Whether a poll of the source waits or runs. */
  has(sourceId: string): boolean {
    return this.#queue.has(sourceId) || this.#running.has(sourceId);
  }

  /** False, and nothing happens, when a poll of the source waits already. */
  add(job: PollJob): boolean {
    const { sourceId: key } = job;
    const added = this.#queue.push({ key, job, cost: this.#options.history.expectedMs(key) });
    if (added) this.#fill();
    return added;
  }

  /** Skips what has waited too long; call it now and then. */
  skipOverdue(): void {
    const now = this.#options.clock.monotonic();
    for (const { job } of this.#queue.remove(({ job }) => now > job.skipAfter)) {
      this.#skipped += 1;
      job.skip();
    }
    this.#fill();
  }

  /** Skips everything that has not started. */
  clear(): void {
    for (const { job } of this.#queue.remove(() => true)) job.skip();
  }

  /** How many of the running are slow, by now, and how many are that or unknown. */
  #count(): { slow: number; unproven: number } {
    const now = this.#options.clock.monotonic();
    const count = { slow: 0, unproven: 0 };
    for (const { since, pace } of this.#running.values()) {
      const isSlow = pace === "slow" || now - since > SLOW_MS;
      if (isSlow) count.slow += 1;
      if (isSlow || pace === "unknown") count.unproven += 1;
    }
    return count;
  }

  #fill(): void {
    const { slots, history, clock } = this.#options;
    if (this.#queue.size === 0 || this.#running.size >= slots) return;
    let { slow, unproven } = this.#count();
    const hasSlot = (pace: Pace) =>
      pace === "quick" ||
      (unproven < slots * UNPROVEN_SHARE && (pace === "unknown" || slow < slots * SLOW_SHARE));
    while (this.#running.size < slots) {
      const next = this.#queue.next(
        ({ key }) => !this.#running.has(key) && hasSlot(history.paceOf(key)),
      );
      if (!next) return;
      const { key, job, cost } = next;
      const since = clock.monotonic();
      const pace = history.paceOf(key);
      if (pace === "slow") slow += 1;
      if (pace !== "quick") unproven += 1;
      this.#running.set(key, { since, pace });
      this.#started += 1;
      this.#latenessMs = Math.max(this.#latenessMs, since - job.dueAt);
      const end = this.#run(job, cost).finally(() => this.#ends.delete(end));
      this.#ends.add(end);
    }
  }

  async #run(job: PollJob, cost: number): Promise<void> {
    const { sourceId } = job;
    const taken = await job.run();
    this.#running.delete(sourceId);
    this.#options.history.note(sourceId, taken);
    this.#queue.settle(sourceId, cost, taken.spentMs);
    job.done(taken);
    this.#fill();
  }

  /** Resolves when nothing runs any more. */
  async settled(): Promise<void> {
    while (this.#ends.size > 0) await Promise.all(this.#ends);
  }

  forget(sourceId: string): void {
    this.#options.history.forget(sourceId);
    this.#queue.forget(sourceId);
  }

  /** The lateness is that since the last call with `reset`. */
  status({ reset }: { reset: boolean }): PollLaneStatus {
    const status = {
      slots: this.#options.slots,
      running: this.#running.size,
      slow: this.#count().slow,
      waiting: this.#queue.size,
      started: this.#started,
      skipped: this.#skipped,
      latenessMs: this.#latenessMs,
    };
    if (reset) this.#latenessMs = 0;
    return status;
  }
}
