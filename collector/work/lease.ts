import { durationMs } from "@bufbuild/protobuf/wkt";
import type { WorkItem } from "../../gen/lumetry/edge/v1/work_pb.js";
import type { Clock } from "../../lib/clock.ts";

/** A claim on one item of work. */
export class Lease {
  readonly claim: { workId: string; claimToken: string; fence: bigint };
  /** When it was asked for, on the monotonic clock. */
  readonly sentAt: number;
  readonly #clock: Clock;
  readonly #lost = new AbortController();
  #from: number;
  #lengthMs: number;

  /**
   * Counted from when the request was sent (on the monotonic clock), so that it never outlives the
   * server's own count; and on while the machine sleeps.
   */
  constructor(item: WorkItem, sentAt: number, clock: Clock) {
    this.claim = { workId: item.workId, claimToken: item.claimToken, fence: item.fence };
    this.sentAt = sentAt;
    this.#clock = clock;
    this.#from = this.#sinceBoot(sentAt);
    this.#lengthMs = item.lease ? durationMs(item.lease) : 0;
  }

  /** Aborts once the server has said that the claim is somebody else's. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Milliseconds until nobody can count on it any more; negative afterwards. */
  get leftMs(): number {
    return this.#from + this.#lengthMs - this.#clock.sinceBoot();
  }

  get isDueForRenewal(): boolean {
    return this.#clock.sinceBoot() - this.#from >= this.#lengthMs / 3;
  }

  renew(sentAt: number, lengthMs: number): void {
    this.#from = this.#sinceBoot(sentAt);
    this.#lengthMs = lengthMs;
  }

  #sinceBoot(monotonic: number): number {
    return this.#clock.sinceBoot() - (this.#clock.monotonic() - monotonic);
  }

  lose(): void {
    this.#lost.abort();
  }
}
