import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import { type Batch, openQueue, type Queue } from "../../edge/queue/queue.ts";
import { judge } from "../../edge/verdict.ts";
import { Problem_Reason as Reason } from "../../gen/lumetry/access/v1/problem_pb.js";
import {
  ReportOutageRunsRequestSchema,
  type WorkService,
} from "../../gen/lumetry/edge/v1/work_service_pb.js";
import type { Reading } from "../../gen/lumetry/source/v1/reading_pb.js";
import { makeBackoff } from "../../lib/backoff.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";

const MOST_RUNS = 500;
/** The server takes requests of up to 4 MiB. */
const MOST_BYTES = 1_500_000;

export interface OutageRunsStatus {
  /** Runs that wait on disk. */
  waiting: number;
  stored: number;
  /** Refused, since somebody else had filled the slot, or owned the source by then. */
  refused: number;
  /** Lost at the limit or to damage, or never written. */
  lost: number;
  diskBytes: number;
  limitBytes: number;
}

export interface OutageRunsOptions {
  directory: string;
  limitBytes: number;
  work: Client<typeof WorkService>;
  processId: string;
  clock: Clock;
  log: Log;
}

/**
 * Polls that were made without a claim, on disk until the server has judged each: a queue of its own,
 * of the same make as that of the points, in which one run counts as one point.
 */
export class OutageRuns implements AsyncDisposable {
  readonly #options: OutageRunsOptions;
  readonly #queue: Queue;
  #nap = new AbortController();
  #counts = { stored: 0, refused: 0, unwritten: 0 };

  private constructor(queue: Queue, options: OutageRunsOptions) {
    this.#queue = queue;
    this.#options = options;
  }

  static async open(options: OutageRunsOptions): Promise<OutageRuns> {
    const { directory, limitBytes, clock, log } = options;
    return new OutageRuns(await openQueue(directory, { limitBytes, clock, log }), options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue[Symbol.asyncDispose]();
  }

  status(): OutageRunsStatus {
    const health = this.#queue.health();
    const { unwritten, ...counts } = this.#counts;
    return {
      ...counts,
      waiting: health.queuedPoints,
      lost: health.droppedPoints + health.damagedPoints + health.unreadablePoints + unwritten,
      diskBytes: health.diskBytes,
      limitBytes: health.limitBytes,
    };
  }

  /** Keeps a run; durable when it resolves. What cannot be written is counted as lost. */
  async add(sourceId: string, slot: number, reading: Reading): Promise<void> {
    const scheduledTime = timestampFromMs(slot);
    const request = create(ReportOutageRunsRequestSchema, {
      runs: [{ sourceId, scheduledTime, reading }],
    });
    try {
      await this.#queue.append({
        payload: toBinary(ReportOutageRunsRequestSchema, request),
        points: 1,
        startTime: slot,
        endTime: slot,
        clockOffsetMs: 0,
      });
    } catch (error) {
      this.#counts.unwritten += 1;
      this.#options.log.error({ sourceId, err: error }, "a poll in an outage could not be kept");
    }
  }

  /** The server can be reached again: no need to wait until the next attempt. */
  hurry(): void {
    this.#nap.abort();
  }

  /** Offers what is kept, oldest first, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const backoff = makeBackoff(1_000, 30_000);
    while (!signal.aborted) {
      let waitMs: number;
      try {
        const batch = await this.#queue.next({ maxPoints: MOST_RUNS, maxBytes: MOST_BYTES });
        if (!batch) {
          await this.#queue.waitForRecords(signal);
          continue;
        }
        const retryAfterMs = await this.#offer(batch, signal);
        if (retryAfterMs === undefined) {
          backoff.reset();
          continue;
        }
        waitMs = backoff.next(retryAfterMs);
      } catch (error) {
        if (signal.aborted) return;
        log.error({ err: error }, "the kept polls cannot be read");
        waitMs = backoff.next();
      }
      this.#nap = new AbortController();
      await clock.sleep(waitMs, AbortSignal.any([signal, this.#nap.signal]));
    }
  }

  /** Undefined when the batch is settled, else after how long to try again at the earliest. */
  async #offer(batch: Batch, signal: AbortSignal): Promise<number | undefined> {
    const { work, processId, log } = this.#options;
    const payload = Buffer.concat(batch.records.map((record) => record.payload));
    const { runs } = fromBinary(ReportOutageRunsRequestSchema, payload);
    try {
      const { results } = await work.reportOutageRuns({ processId, runs }, { signal });
      let refused = 0;
      for (const { problem } of results) {
        // After a lost answer, the slot is taken by this very run.
        if (problem && problem.reason !== Reason.CLAIM_SPENT) refused += 1;
      }
      this.#counts.refused += refused;
      this.#counts.stored += results.length - refused;
      await this.#queue.acknowledge(batch, { refusedPoints: refused });
      log.info({ runs: runs.length, refused }, "polls of the outage were told");
      return undefined;
    } catch (error) {
      const verdict = judge(error);
      if (verdict.action !== "split") return verdict.retryAfterMs;
      if (batch.records.length > 1) await this.#queue.split(batch);
      else await this.#queue.park(batch, verdict.message);
      return undefined;
    }
  }
}
