import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import type { WorkService } from "../../gen/lumetry/edge/v1/work_service_pb.js";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { startLoop } from "../../lib/loop.ts";
import type { Lease } from "./lease.ts";

const LOOK_EVERY_MS = 1_000;
const MOST_IN_ONE_CALL = 1_000;

/**
 * What becomes of work when its claim may be somebody else's, as far as this clock can tell, and the server
 * cannot be asked. A poll goes on: its reading is offered later, and taken if nobody else's was.
 */
export type WhenOver = "abort" | "go on";

export interface LeasesOptions {
  work: Client<typeof WorkService>;
  processId: string;
  clock: Clock;
  log: Log;
}

/** Keeps the claims that are worked on, and aborts the work of those that are lost. */
export class Leases {
  readonly #options: LeasesOptions;
  #held = new Map<Lease, WhenOver>();

  constructor(options: LeasesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#held.size;
  }

  hold(lease: Lease, whenOver: WhenOver): void {
    this.#held.set(lease, whenOver);
  }

  release(lease: Lease): void {
    this.#held.delete(lease);
  }

  /** Renews until the signal aborts. */
  run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    return startLoop(() => this.#renew(signal), {
      every: () => LOOK_EVERY_MS,
      clock,
      signal,
      onError: (error) => log.debug({ err: error }, "claims cannot be renewed now"),
    }).done;
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { work, processId, clock } = this.#options;
    for (const [lease, whenOver] of this.#held) {
      if (lease.leftMs <= 0 && whenOver === "abort") this.#lose(lease);
    }
    const due = [...this.#held.keys()].filter((lease) => lease.isDueForRenewal);
    for (let at = 0; at < due.length; at += MOST_IN_ONE_CALL) {
      const some = due.slice(at, at + MOST_IN_ONE_CALL);
      const sentAt = clock.monotonic();
      const claims = some.map(({ claim }) => claim);
      const { renewals } = await work.renewLeases({ processId, claims }, { signal });
      for (const [index, lease] of some.entries()) {
        const length = renewals[index]?.lease;
        if (length) lease.renew(sentAt, durationMs(length));
        else this.#lose(lease);
      }
    }
  }

  #lose(lease: Lease): void {
    this.#held.delete(lease);
    lease.lose();
  }
}
