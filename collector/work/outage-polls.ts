import type { Clock } from "../../lib/clock.ts";
import { startLoop } from "../../lib/loop.ts";
import type { Source } from "./assignments.ts";

const LOOK_EVERY_MS = 250;
/** It takes so long until an outage is known; a slot that comes in that time is not lost. */
const NOTICED_AFTER_MS = 4_500;
/** A slot that the server hands out is here by then: it does so a second ahead. */
const HANDED_OUT_BY_MS = 1_500;
/** What was claimed by a call whose answer was lost is nobody's until that claim has run out. */
const LOST_CLAIMS_LAST_MS = 35_000;

export interface OutagePollsOptions {
  sources: () => Iterable<Source>;
  /** Unix milliseconds on the server's clock, as well as it is known. */
  serverNow: () => number;
  /** Polls a source for a slot that nobody handed out. */
  /** False when it cannot be polled now. */
  poll: (source: Source, slot: number) => boolean;
  clock: Clock;
  onError: (error: unknown) => void;
}

/** The latest slot of a source that is not in the future. */
export const latestSlot = ({ intervalMs, phaseMs }: Source, now: number): number =>
  Math.floor((now - phaseMs) / intervalMs) * intervalMs + phaseMs;

/**
 * Polls by the collector's own schedule while the server hands out nothing; afterwards still, of sources
 * whose claim was lost with an answer, until they are handed out again. Each slot once: none that was
 * handed out before, and none of the time in which the server would have. Only after a restart, or when a
 * lost claim has run out, a slot may be polled again, of which the server then takes one result.
 */
export class OutagePolls {
  readonly #options: OutagePollsOptions;
  #isOn = false;
  /** The server has handed out all that was due by then; nothing is known of what a process before this one did. */
  #coveredUntil = Number.NEGATIVE_INFINITY;
  /** An answer may have been lost, and polls with it. */
  #isInDoubt = false;
  /** Of these the server has handed out nothing since, and until then it may be unable to. */
  #unheard = new Set<string>();
  #unheardUntil = 0;
  /** When the server could be reached again, on its clock; and last in doubt, on the monotonic one. */
  #endedAt = 0;
  #doubtedAt = Number.NEGATIVE_INFINITY;
  #last = new Map<string, number>();
  #notBefore = new Map<string, number>();

  constructor(options: OutagePollsOptions) {
    this.#options = options;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** The server has not answered, and may have handed out what never arrived. */
  doubt(): void {
    this.#isInDoubt = true;
    this.#doubtedAt = this.#options.clock.monotonic();
  }

  /** Whether the server was in doubt since a moment of the monotonic clock. */
  wasInDoubtSince(ms: number): boolean {
    return this.#doubtedAt >= ms;
  }

  /** The server cannot be reached. */
  begin(): void {
    this.#isOn = true;
  }

  /** The server has handed out all that was due at this time of its clock; or it will not any more. */
  end(coveredUntil: number, { isDeclined = false } = {}): void {
    const { sources, serverNow } = this.#options;
    this.#isOn = false;
    if (isDeclined) this.#unheard.clear();
    else if (this.#isInDoubt) {
      this.#unheard = new Set([...sources()].map(({ assignment }) => assignment.sourceId));
      this.#endedAt = serverNow();
      this.#unheardUntil = this.#endedAt + LOST_CLAIMS_LAST_MS;
    }
    this.#isInDoubt = false;
    this.#coveredUntil = Math.max(this.#coveredUntil, coveredUntil);
  }

  /** The slot was handed out. */
  noteSlot(sourceId: string, slot: number): void {
    this.#unheard.delete(sourceId);
    this.#last.set(sourceId, Math.max(slot, this.#last.get(sourceId) ?? 0));
  }

  /** The source is slow or fails: not before this time of the server's clock. */
  leaveAlone(sourceId: string, until: number): void {
    this.#notBefore.set(sourceId, until);
  }

  forget(sourceId: string): void {
    this.#unheard.delete(sourceId);
    this.#last.delete(sourceId);
    this.#notBefore.delete(sourceId);
  }

  run(signal: AbortSignal): Promise<void> {
    const { clock, onError } = this.#options;
    return startLoop(() => this.#look(), {
      every: () => LOOK_EVERY_MS,
      clock,
      signal,
      onError,
    }).done;
  }

  #look(): void {
    const { sources, serverNow, poll } = this.#options;
    const now = serverNow();
    if (now > this.#unheardUntil) this.#unheard.clear();
    if (!this.#isOn && this.#unheard.size === 0) return;
    for (const source of sources()) {
      const { sourceId } = source.assignment;
      const isUnheard = this.#unheard.has(sourceId);
      if (!this.#isOn && !isUnheard) continue;
      const slot = latestSlot(source, now);
      // Later than that, the reading would belong to the next slot rather.
      const noticed = NOTICED_AFTER_MS + (isUnheard ? HANDED_OUT_BY_MS : 0);
      if (now - slot > Math.max(source.intervalMs / 2, noticed)) continue;
      if (!this.#isOn && now - Math.max(slot, this.#endedAt) < HANDED_OUT_BY_MS) continue;
      if ((slot <= this.#coveredUntil && !isUnheard) || slot <= (this.#last.get(sourceId) ?? 0))
        continue;
      if (slot < (this.#notBefore.get(sourceId) ?? 0)) continue;
      if (poll(source, slot)) this.#last.set(sourceId, slot);
    }
  }
}
