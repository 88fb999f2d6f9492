import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { makeHeldBytes } from "../../collector/work/held-bytes.ts";
import { takeReading } from "../../collector/work/take-reading.ts";
import type { Reading } from "../../gen/lumetry/source/v1/reading_pb.js";
import {
  SourceSecretsSchema,
  SourceSettingsSchema,
} from "../../gen/lumetry/source/v1/settings_pb.js";
import { type Dialler, makeDialler } from "../../lib/egress/dialler.ts";
import { makeEgressPolicy } from "../../lib/egress/policy.ts";
import { silentLog } from "../../lib/log.ts";

/** What a collector on a test's machine may reach: its own and other private addresses. */
export const localPolicy = makeEgressPolicy({
  allowed: [],
  open: ["private"],
  loopback: true,
  advice: { network: "ask an administrator", loopback: "ask who runs this" },
});

type Kind = NonNullable<MessageInitShape<typeof SourceSettingsSchema>["kind"]>;

export interface PollOptions {
  secrets?: MessageInitShape<typeof SourceSecretsSchema>;
  budgetMs?: number;
  dialler?: Dialler;
  heldBytes?: number;
  signal?: AbortSignal;
  onPhase?: (phase: string, doing: string) => void;
}

/** A reading as people look at it. */
export interface Seen {
  up: boolean;
  failure: string;
  facts: Record<string, string>;
  phases: string[];
  /** By metric and labels in the notation of Prometheus. */
  values: Record<string, number>;
  durationMs: number;
  spentMs: number;
  ranOutOfTime: boolean;
  reading: Reading;
}

const nameOf = (metric: string, labels: Record<string, string>) => {
  const inner = Object.entries(labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(",");
  return inner ? `${metric}{${inner}}` : metric;
};

/** Polls a source of one kind, as a collector does. */
export async function pollOnce(kind: Kind, options: PollOptions = {}): Promise<Seen> {
  const { reading, spentMs, ranOutOfTime } = await takeReading(
    {
      settings: create(SourceSettingsSchema, { kind }),
      secrets: create(SourceSecretsSchema, options.secrets),
      budgetMs: options.budgetMs ?? 10_000,
      signal: options.signal ?? new AbortController().signal,
      onPhase: options.onPhase,
    },
    {
      dialler: options.dialler ?? makeDialler(localPolicy),
      heldBytes: makeHeldBytes(options.heldBytes ?? 64 * 2 ** 20),
      log: silentLog,
    },
  );
  return {
    up: reading.up,
    failure: reading.failure,
    facts: reading.facts,
    phases: reading.phases.map(({ name }) => name),
    values: Object.fromEntries(
      reading.series.map(({ metric, labels, points }) => [
        nameOf(metric, labels),
        points[0]?.value ?? Number.NaN,
      ]),
    ),
    durationMs: reading.duration ? durationMs(reading.duration) : Number.NaN,
    spentMs,
    ranOutOfTime,
    reading,
  };
}
