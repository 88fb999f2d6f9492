import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  MetricMetadata_Kind as Kind,
  WriteMetricsRequestSchema,
} from "../gen/lumetry/ingest/v1/metrics_service_pb.js";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { ClockOffset } from "./clock-offset.ts";
import type { Configuration } from "./configuration.ts";
import type { Metadata, Sample, Sampler } from "./host-metrics/sampler.ts";
import type { Queue, QueueRecord } from "./queue/queue.ts";

/** Samples kept in memory while the disk takes none. */
const MOST_WAITING = 1_000;
/** What metrics mean is told again this often, should an earlier word have been dropped. */
const METADATA_EVERY_MS = 3_600_000;

function encode(
  samples: Sample[],
  metadata: readonly Metadata[],
  time: number,
  labels: Record<string, string>,
): Uint8Array {
  const at = timestampFromMs(time);
  return toBinary(
    WriteMetricsRequestSchema,
    create(WriteMetricsRequestSchema, {
      series: samples.map((sample) => ({
        metric: sample.metric,
        labels: { ...labels, ...sample.labels },
        points: [{ time: at, value: sample.value }],
      })),
      metadata: metadata.map((entry) => ({
        ...entry,
        kind: entry.kind === "counter" ? Kind.COUNTER : Kind.GAUGE,
      })),
    }),
  );
}

export interface SamplingOptions {
  sampler: Sampler;
  queue: Queue;
  configuration: Configuration;
  offset: ClockOffset;
  labels: Record<string, string>;
  /** In place of the configured interval. */
  everyMs: number | undefined;
  clock: Clock;
  log: Log;
}

/**
 * Samples the host on a steady schedule and appends to the queue; it never waits for the network.
 * When the disk takes nothing, samples wait in memory, the oldest giving way.
 */
export class Sampling {
  #options: SamplingOptions;
  #waiting: QueueRecord[] = [];
  #toldMetadataAt = Number.NEGATIVE_INFINITY;
  #wake = new AbortController();
  #isWritable = true;
  /** What the disk did not take and memory could not hold, until it is entered in the queue's ledger. */
  #lost: { points: number; startTime: number; endTime: number } | undefined;

  constructor(options: SamplingOptions) {
    this.#options = options;
    options.configuration.onChange(() => this.#wake.abort());
  }

  get isQueueWritable(): boolean {
    return this.#isWritable;
  }

  /** Points that are lost and not entered in the queue's ledger yet. */
  get lostPoints(): number {
    return this.#lost?.points ?? 0;
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, configuration, everyMs, log } = this.#options;
    let due = clock.monotonic();
    while (!signal.aborted) {
      // Made before the instructions are read, so that no change of them goes unnoticed.
      this.#wake = new AbortController();
      const { enabled, intervalSeconds } = configuration.instructions.hostMetrics;
      if (enabled) {
        try {
          await this.#sampleOnce();
        } catch (error) {
          log.error({ err: error }, "this sample failed");
        }
      }
      // From one due time to the next, so that the work itself never shifts the schedule; times
      // that passed while the machine slept are left out.
      const interval = everyMs ?? intervalSeconds * 1000;
      due += interval * Math.max(1, Math.ceil((clock.monotonic() - due) / interval));
      await clock.sleep(due - clock.monotonic(), AbortSignal.any([signal, this.#wake.signal]));
      if (this.#wake.signal.aborted) due = clock.monotonic();
    }
  }

  async #sampleOnce(): Promise<void> {
    const { sampler, clock, offset, labels, log } = this.#options;
    const samples = await sampler.sample();
    if (samples.length === 0) return;
    const time = clock.now();
    const isMetadataDue = clock.monotonic() - this.#toldMetadataAt >= METADATA_EVERY_MS;
    const metadata = isMetadataDue ? sampler.metadata : [];
    this.#waiting.push({
      payload: encode(samples, metadata, time, labels),
      points: samples.length,
      startTime: time,
      endTime: time,
      clockOffsetMs: offset.current(),
    });
    if (isMetadataDue) this.#toldMetadataAt = clock.monotonic();
    try {
      await this.#flush();
      this.#isWritable = true;
    } catch (error) {
      this.#isWritable = false;
      log.error({ err: error, waiting: this.#waiting.length }, "the queue cannot be written");
      while (this.#waiting.length > MOST_WAITING) this.#lose();
    }
  }

  async #flush(): Promise<void> {
    const { log } = this.#options;
    for (let record = this.#waiting[0]; record; record = this.#waiting[0]) {
      try {
        await this.#options.queue.append(record);
      } catch (error) {
        // One that no queue of this size can ever take must not keep the others from it.
        if (!(error instanceof RangeError)) throw error;
        log.error({ err: error, points: record.points }, "a sample is too large for the queue");
        this.#lose();
        continue;
      }
      this.#waiting.shift();
    }
    if (!this.#lost) return;
    await this.#options.queue.noteLoss({ ...this.#lost, reason: "unwritten" });
    this.#lost = undefined;
  }

  /** Gives up the oldest record that waits. */
  #lose(): void {
    const record = this.#waiting.shift();
    if (!record) return;
    const { points = 0, startTime = record.startTime } = this.#lost ?? {};
    this.#lost = { points: points + record.points, startTime, endTime: record.endTime };
  }
}
