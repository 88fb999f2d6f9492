import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  MetricMetadata_Kind as Kind,
  type MetricMetadataSchema,
  type TimeSeriesSchema,
} from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { type Reading, ReadingSchema } from "../../gen/lumetry/source/v1/reading_pb.js";
import type { Trace } from "../../lib/egress/dialler.ts";
import { span } from "./span.ts";

export type Series = MessageInitShape<typeof TimeSeriesSchema>;
export type Metadata = MessageInitShape<typeof MetricMetadataSchema>;

const MOST_FAILURE_CHARACTERS = 1_000;
const MOST_FACTS = 32;
const MOST_PHASES = 32;

/** The source answered, but not as it should. The message is for people. */
export class PollFailed extends Error {
  override name = "PollFailed";
}

/** What a poll has found so far; kept even if the poll fails in the end. */
export class Findings {
  readonly series: Series[] = [];
  readonly metadata: Metadata[] = [];
  #told = new Set<string>();
  #facts: Record<string, string> = {};
  #phases = new Map<string, number>();
  #phase: { name: string; since: number } | undefined;
  readonly #begun: number;
  readonly #monotonic: () => number;
  readonly #onPhase: Trace | undefined;

  constructor(options: { monotonic?: () => number; onPhase?: Trace | undefined } = {}) {
    this.#monotonic = options.monotonic ?? (() => performance.now());
    this.#onPhase = options.onPhase;
    this.#begun = this.#monotonic();
  }

  /** A phase begins, and the one before it is over; for people who wait, what is being done. */
  readonly trace: Trace = (name, doing) => {
    this.#endPhase();
    this.#phase = { name, since: this.#monotonic() };
    this.#onPhase?.(name, doing);
  };

  #endPhase(): void {
    if (!this.#phase) return;
    const { name, since } = this.#phase;
    if (this.#phases.size < MOST_PHASES || this.#phases.has(name)) {
      this.#phases.set(name, (this.#phases.get(name) ?? 0) + this.#monotonic() - since);
    }
    this.#phase = undefined;
  }

  /** How long each phase that is over took, in milliseconds. */
  get phases(): ReadonlyMap<string, number> {
    this.#endPhase();
    return this.#phases;
  }

  /** Something that people want to know and no metric can tell. */
  fact(name: string, value: string): void {
    if (Object.keys(this.#facts).length >= MOST_FACTS) return;
    this.#facts[name.slice(0, 128)] = value.slice(0, 1_000);
  }

  /** A level, at the scheduled time. */
  gauge(
    metric: string,
    value: number,
    meaning: { unit: string; description: string },
    labels: Record<string, string> = {},
  ): void {
    this.series.push({ metric, labels, points: [{ value }] });
    this.describe({ metric, kind: Kind.GAUGE, ...meaning });
  }

  /** What a metric means; the first word on each counts. */
  describe(metadata: Metadata & { metric: string }): void {
    if (this.#told.has(metadata.metric)) return;
    this.#told.add(metadata.metric);
    this.metadata.push(metadata);
  }

  /** The reading; with a failure it is one of a source that is down. */
  conclude(failure?: string): Reading {
    this.#endPhase();
    return create(ReadingSchema, {
      up: failure === undefined,
      failure: (failure ?? "").slice(0, MOST_FAILURE_CHARACTERS),
      duration: span(this.#monotonic() - this.#begun),
      phases: [...this.#phases].map(([name, ms]) => ({ name, duration: span(ms) })),
      series: this.series,
      metadata: this.metadata,
      facts: this.#facts,
    });
  }
}
