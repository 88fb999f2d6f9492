/** "gauge" is a level that goes up and down, "counter" a running total that starts again from 0 at a reset. */
export type Kind = "gauge" | "counter";

/** What a metric means. */
export interface Metadata {
  /** Dotted, lower case, in the style of OpenTelemetry's semantic conventions. */
  metric: string;
  kind: Kind;
  /** UCUM code: "1", "By", "s", "{operation}". */
  unit: string;
  description: string;
}

/** One value of one series, always finite and never negative. */
export interface Sample {
  metric: string;
  labels: Record<string, string>;
  value: number;
}

/** Reads the figures of the host it runs on; one implementation per operating system. */
export interface Sampler {
  /** Every metric that `sample` may return. */
  readonly metadata: readonly Metadata[];
  /**
   * The figures of this moment, in one call at a time. A part that fails is left out and logged once
   * until it works again; throws only if nothing at all could be read.
   */
  sample(): Promise<Sample[]>;
  /** Whether the last sample held all that this host has to tell. */
  isComplete(): boolean;
}
