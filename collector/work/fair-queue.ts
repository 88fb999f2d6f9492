/** What waits for a slot. */
export interface Waiting<Job> {
  key: string;
  job: Job;
  /** Milliseconds that it is expected to take. */
  cost: number;
}

const QUANTUM_MS = 100;
/** What somebody owes for having taken longer than expected is forgotten beyond this. */
const MOST_DEBT_MS = 60_000;

type Saving<Job> = Waiting<Job> & { saved: number };

/**
 * Deficit round robin by time: in each round every key that waits is given a tenth of a second, and
 * starts once it has saved up what it is expected to take. So those that take little go first, those
 * that take long go in proportion, and nobody waits forever. One job of a key waits at a time.
 */
export class FairQueue<Job> {
  #waiting = new Map<string, Saving<Job>>();
  /** What keys had left when they started, less what they took beyond what was expected. */
  #balances = new Map<string, number>();

  get size(): number {
    return this.#waiting.size;
  }

  has(key: string): boolean {
    return this.#waiting.has(key);
  }

  /** False when a job of this key waits already. */
  push({ key, job, cost }: Waiting<Job>): boolean {
    if (this.#waiting.has(key)) return false;
    this.#waiting.set(key, { key, job, cost, saved: this.#balances.get(key) ?? 0 });
    return true;
  }

  /** The next in turn among those that may start; undefined when there is none. */
  next(mayStart: (waiting: Waiting<Job>) => boolean): Waiting<Job> | undefined {
    let chosen: Saving<Job> | undefined;
    let rounds = Number.POSITIVE_INFINITY;
    for (const waiting of this.#waiting.values()) {
      if (!mayStart(waiting)) continue;
      const needed = Math.max(0, Math.ceil((waiting.cost - waiting.saved) / QUANTUM_MS));
      if (needed >= rounds) continue;
      chosen = waiting;
      rounds = needed;
      if (needed === 0) break;
    }
    if (!chosen) return undefined;
    // Everybody is given as much, whether or not they may start now: waiting is never in vain.
    if (rounds > 0) {
      for (const waiting of this.#waiting.values()) waiting.saved += rounds * QUANTUM_MS;
    }
    this.#waiting.delete(chosen.key);
    this.#keep(chosen.key, chosen.saved - chosen.cost);
    return chosen;
  }

  /** A job took longer or shorter than expected; its key pays for the difference the next time. */
  settle(key: string, expectedMs: number, spentMs: number): void {
    this.#keep(key, (this.#balances.get(key) ?? 0) + expectedMs - spentMs);
  }

  #keep(key: string, balance: number): void {
    this.#balances.set(key, Math.max(-MOST_DEBT_MS, Math.min(balance, QUANTUM_MS)));
  }

  /** Takes out what waits no longer. */
  remove(isOver: (waiting: Waiting<Job>) => boolean): Waiting<Job>[] {
    const over = [...this.#waiting.values()].filter(isOver);
    for (const { key } of over) this.#waiting.delete(key);
    return over;
  }

  forget(key: string): void {
    this.#balances.delete(key);
  }
}
