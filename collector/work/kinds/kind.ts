import type { SourceSecrets } from "../../../gen/lumetry/source/v1/settings_pb.js";
import type { Dialler } from "../../../lib/egress/dialler.ts";
import type { Findings } from "../findings.ts";

/** What a poll is given besides its settings. */
export interface PollContext {
  secrets: SourceSecrets;
  /** The only way out. */
  dialler: Dialler;
  /** Aborts at the budget: nothing may be left behind then. */
  signal: AbortSignal;
  /** How long the poll may take in all, in milliseconds; what it starts elsewhere must end by then. */
  budgetMs: number;
  /** Told of every byte of answers that is held in memory; throws when it is too much. */
  charge: (bytes: number) => void;
  findings: Findings;
}

/**
 * Reads a source once and puts what it finds into the findings. Throws PollFailed, or whatever the
 * dialler throws, when the source is not as it should be; what was found until then is kept.
 */
export type Poll<Settings> = (settings: Settings, context: PollContext) => Promise<void>;
