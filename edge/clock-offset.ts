import type { Clock } from "../lib/clock.ts";

/** Differences below this are noise of the measurement. */
const NOTICEABLE_MS = 1_000;
/** Calls are given up sooner than this. */
const LONGEST_EXCHANGE_MS = 20_000;

/** A span in which nobody set the local clock, by what it showed. */
interface Setting {
  from: number;
  until: number;
  /** The wall clock less the time since the boot. */
  wallAhead: number;
}

/**
 * How far the local clock is ahead of the server's. Each heartbeat compares the server's clock with
 * the time since the boot, which nobody sets: a jump of the wall clock shows at once. The monotonic
 * clock would not do, as it may stand still while the machine sleeps: waking up would look like a jump.
 */
export class ClockOffset {
  #clock: Clock;
  /** The server's clock less the time since the boot. */
  #serverAhead: number | undefined;
  #noted = 0;
  /** How the clock was set until the first measurement. */
  #settings: Setting[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#remember();
  }

  /** One exchange: times since the boot before and after a call, and the server's time in between. */
  measure(sentAt: number, receivedAt: number, serverTime: number): void {
    this.#remember();
    // The machine slept in between: the middle of that time says nothing.
    if (receivedAt - sentAt > LONGEST_EXCHANGE_MS) return;
    this.#serverAhead = serverTime - (sentAt + receivedAt) / 2;
  }

  #remember(): void {
    if (this.#serverAhead !== undefined) return;
    const now = this.#clock.now();
    const wallAhead = now - this.#clock.sinceBoot();
    const last = this.#settings.at(-1);
    if (last && Math.abs(wallAhead - last.wallAhead) < NOTICEABLE_MS) last.until = now;
    else this.#settings.push({ from: now, until: now, wallAhead });
  }

  /**
   * Milliseconds by which the local clock is ahead now; undefined before the first measurement.
   * Stays the same until it changes noticeably, so that points of many samples share one batch.
   */
  current(): number | undefined {
    this.#remember();
    if (this.#serverAhead === undefined) return undefined;
    const offset = this.#clock.now() - this.#clock.sinceBoot() - this.#serverAhead;
    if (Math.abs(offset - this.#noted) >= NOTICEABLE_MS) this.#noted = Math.round(offset);
    return this.#noted;
  }

  /**
   * By how much it was ahead when it showed a time before the first measurement. If it showed that
   * time twice, the larger offset: older is never refused where newer would be. What is not of this
   * process's time counts as now.
   */
  when(time: number): number | undefined {
    const current = this.current();
    if (current === undefined || this.#serverAhead === undefined) return undefined;
    const shown = this.#settings.filter(
      ({ from, until }) => time >= from - NOTICEABLE_MS && time <= until + NOTICEABLE_MS,
    );
    if (shown.length === 0) return current;
    const wallAhead = Math.max(...shown.map((setting) => setting.wallAhead));
    const offset = Math.round(wallAhead - this.#serverAhead);
    return Math.abs(offset - current) < NOTICEABLE_MS ? current : offset;
  }
}
