import { fromBinary } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type MetricMetadata,
  type TimeSeries,
  WriteMetricsRequestSchema,
  type WriteMetricsResponse,
} from "../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { makeBackoff } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { ClockOffset } from "./clock-offset.ts";
import type { Batch, Queue } from "./queue/queue.ts";
import type { Upstream } from "./upstream.ts";
import { judge, type Verdict } from "./verdict.ts";

const MOST_POINTS = 5_000;
const MOST_BYTES = 1_000_000;
const UPLOAD_TIMEOUT_MS = 30_000;
/** Reasons for refusals in one line of the log; a batch may hold thousands. */
const MOST_TOLD = 10;

function send(
  upstream: Upstream,
  batch: Batch,
  offsetMs: number,
  signal: AbortSignal,
): Promise<WriteMetricsResponse> {
  const series: TimeSeries[] = [];
  const metadata: MetricMetadata[] = [];
  for (const { payload } of batch.records) {
    const part = fromBinary(WriteMetricsRequestSchema, payload);
    series.push(...part.series);
    metadata.push(...part.metadata);
  }
  return upstream.metrics.writeMetrics(
    { batchId: batch.batchId, series, metadata, clockOffset: durationFromMs(offsetMs) },
    { timeoutMs: UPLOAD_TIMEOUT_MS, signal },
  );
}

export interface UploadingOptions {
  upstream: Upstream;
  queue: Queue;
  offset: ClockOffset;
  /** What the ids of this process's own batches begin with. */
  processEpoch: string;
  clock: Clock;
  log: Log;
  /** Called whenever the server has stored something. */
  onStored: () => void;
  /** Called when the server says that this identity is over. */
  stop: (reason: string) => void;
}

/**
 * Takes batches from the queue, oldest first, and gives each to the server until that has stored
 * it. Never gives up; what the server can never read is split, and what stays bad is parked.
 */
export class Uploading {
  #options: UploadingOptions;
  /** The batch that may be stored by an earlier attempt of this process. */
  #doubtful: string | undefined;
  #nap = new AbortController();
  /** The server is busy, and said when to come again. */
  #isLeftAlone = false;
  lastSuccessAt: number | undefined;
  lastProblem: string | undefined;

  constructor(options: UploadingOptions) {
    this.#options = options;
  }

  /** Somebody else has reached the server: no need to wait until the next attempt. */
  hurry(): void {
    if (!this.#isLeftAlone) this.#nap.abort();
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { queue, offset, clock, log } = this.#options;
    const backoff = makeBackoff();
    const pause = (ms: number) => {
      this.#nap = new AbortController();
      return clock.sleep(ms, AbortSignal.any([signal, this.#nap.signal]));
    };
    while (!signal.aborted) {
      if (offset.current() === undefined) {
        // Points are judged by the corrected time, which the first heartbeat tells.
        await pause(200);
        continue;
      }
      try {
        const batch = await queue.next({ maxPoints: MOST_POINTS, maxBytes: MOST_BYTES });
        if (!batch) {
          await queue.waitForRecords(signal);
          continue;
        }
        const offsets = this.#offsetsOf(batch);
        if (offsets.length > 1 && this.#isCertainlyNew(batch)) {
          await queue.split(batch);
          continue;
        }
        const verdict = await this.#upload(batch, Math.max(...offsets), signal);
        if (!verdict) backoff.reset();
        else if (verdict.action !== "split") {
          this.#isLeftAlone = verdict.retryAfterMs > 0;
          await pause(backoff.next(verdict.retryAfterMs));
          this.#isLeftAlone = false;
        }
      } catch (error) {
        if (signal.aborted) return;
        log.error({ err: error }, "the queue cannot be read");
        await pause(backoff.next());
      }
    }
  }

  /** False when it may be stored, so that its id and its content must stay. */
  #isCertainlyNew({ batchId }: Batch): boolean {
    return batchId !== this.#doubtful && batchId.startsWith(this.#options.processEpoch);
  }

  /** How far the clock was ahead: more than one answer for points taken before and after a jump. */
  #offsetsOf({ clockOffsetMs, records }: Batch): number[] {
    if (clockOffsetMs !== undefined) return [clockOffsetMs];
    const { offset } = this.#options;
    return [...new Set(records.map(({ startTime }) => offset.when(startTime) ?? 0))];
  }

  /** Undefined when the batch is stored, else why it is not. */
  async #upload(batch: Batch, offsetMs: number, signal: AbortSignal): Promise<Verdict | undefined> {
    const { upstream, queue, clock, log } = this.#options;
    let answer: WriteMetricsResponse;
    try {
      answer = await send(upstream, batch, offsetMs, signal);
    } catch (error) {
      const verdict = judge(error);
      if (signal.aborted) return verdict;
      this.lastProblem = verdict.message;
      log.warn(
        { batchId: batch.batchId, points: batch.points, reason: verdict.message },
        "not uploaded",
      );
      if (verdict.action === "stop") this.#options.stop(verdict.message);
      else if (verdict.action === "split") await this.#makeSmaller(batch, verdict.message);
      else if (!verdict.nothingStored) this.#doubtful = batch.batchId;
      else if (this.#isCertainlyNew(batch)) await queue.release(batch);
      return verdict;
    }
    const refusedPoints = Number(answer.refusedPoints);
    if (refusedPoints > 0) {
      const reasons = [...new Set(answer.refusals.map(({ reason }) => reason))].slice(0, MOST_TOLD);
      log.warn({ batchId: batch.batchId, refusedPoints, reasons }, "points were refused for good");
    }
    await queue.acknowledge(batch, { refusedPoints });
    this.lastSuccessAt = clock.now();
    this.lastProblem = undefined;
    this.#options.onStored();
    return undefined;
  }

  async #makeSmaller(batch: Batch, reason: string): Promise<void> {
    const { queue, log } = this.#options;
    if (batch.records.length > 1) await queue.split(batch);
    else {
      log.error(
        { batchId: batch.batchId, points: batch.points, reason },
        "parked: the server cannot read it",
      );
      await queue.park(batch, reason);
    }
  }
}
