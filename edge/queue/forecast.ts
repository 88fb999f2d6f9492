import type { Clock } from "../../lib/clock.ts";

interface Sample {
  at: number;
  bytes: number;
}

const windowMs = 10 * 60_000;
const stepMs = 10_000;

/** How fast the backlog has grown lately, and so when it will fill its room. */
export class Forecast {
  readonly #clock: Clock;
  #samples: Sample[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes what was ever appended less what was ever acknowledged, in payload bytes; drops leave it as it is. */
  note(bytes: number): void {
    const at = this.#clock.monotonic();
    const last = this.#samples.at(-1);
    if (last && at - last.at < stepMs) return;
    this.#samples.push({ at, bytes });
    const from = this.#samples.findIndex((sample) => at - sample.at <= windowMs);
    this.#samples.splice(0, from);
  }

  /** Milliseconds until `room` bytes more are there; undefined when nothing piles up or too little was seen. */
  timeToFull(bytes: number, room: number): number | undefined {
    const [first] = this.#samples;
    if (!first) return undefined;
    const elapsed = this.#clock.monotonic() - first.at;
    const grown = bytes - first.bytes;
    if (elapsed < stepMs || grown <= 0) return undefined;
    return Math.round((Math.max(0, room) * elapsed) / grown);
  }
}
