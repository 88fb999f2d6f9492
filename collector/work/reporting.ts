import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { judge } from "../../edge/verdict.ts";
import { Problem_Reason as Reason } from "../../gen/lumetry/access/v1/problem_pb.js";
import type { WorkReportSchema, WorkService } from "../../gen/lumetry/edge/v1/work_service_pb.js";
import { makeBackoff } from "../../lib/backoff.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Lease } from "./lease.ts";

type Report = MessageInitShape<typeof WorkReportSchema>;

/** What is finished, and still to be told. */
export interface Finished {
  lease: Lease;
  report: Omit<Report, "claim" | "$typeName" | "$unknown">;
  /** About, on the wire. */
  bytes: number;
  /** When it cannot be told under its claim any more: the server was out of reach for too long. */
  onUntold?: () => void;
  /** When the claim is not held any more: it ran out, or the server ended it. */
  onTakenBack?: () => void;
  /** What to say in its place when the server cannot take it as it is. */
  inBrief?: Omit<Report, "claim" | "$typeName" | "$unknown">;
}

export interface ReportingStatus {
  waiting: number;
  accepted: number;
  /** Refused, since somebody else owned the work by then. */
  stale: number;
  /** Points of accepted readings that were refused, one by one. */
  refusedPoints: number;
  untold: number;
}

const MOST_REPORTS = 500;
/** The server takes requests of up to 4 MiB. */
const MOST_BYTES = 1_500_000;
/** Beyond it what comes next goes to the disk, or is given up, at once. */
const MOST_WAITING_BYTES = 32 * 2 ** 20;
/** Reports that come within so short a time go together. */
const GATHER_MS = 50;

export interface ReportingOptions {
  work: Client<typeof WorkService>;
  processId: string;
  clock: Clock;
  log: Log;
}

/**
 * Tells the server what work came to: many reports in one call, the same again until there is an
 * answer, and no longer than their claims last.
 */
export class Reporting {
  readonly #options: ReportingOptions;
  #waiting: Finished[] = [];
  #waitingBytes = 0;
  #wake: (() => void) | undefined;
  #counts = { accepted: 0, stale: 0, refusedPoints: 0, untold: 0 };

  constructor(options: ReportingOptions) {
    this.#options = options;
  }

  status(): ReportingStatus {
    return { waiting: this.#waiting.length, ...this.#counts };
  }

  add(finished: Finished): void {
    if (this.#waitingBytes + finished.bytes > MOST_WAITING_BYTES) {
      this.#giveUp(finished);
      return;
    }
    this.#waiting.push(finished);
    this.#waitingBytes += finished.bytes;
    this.#wake?.();
  }

  #giveUp(finished: Finished): void {
    this.#counts.untold += 1;
    finished.onUntold?.();
  }

  /** Until the signal aborts; then what waits is told once more, if the server takes it at once. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const backoff = makeBackoff(200, 5_000);
    signal.addEventListener("abort", () => this.#wake?.(), { once: true });
    while (!signal.aborted) {
      if (this.#waiting.length === 0) {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
        this.#wake = undefined;
        await clock.sleep(GATHER_MS, signal);
        continue;
      }
      const batch = this.#take();
      const retryAfterMs = await this.#tell(batch, signal);
      if (retryAfterMs === undefined) backoff.reset();
      else {
        await clock.sleep(backoff.next(retryAfterMs), signal);
      }
    }
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      if ((await this.#tell(batch, AbortSignal.timeout(2_000))) === undefined) continue;
      for (const finished of this.#take(Number.POSITIVE_INFINITY)) this.#giveUp(finished);
    }
  }

  #take(most = MOST_REPORTS): Finished[] {
    let bytes = 0;
    let count = 0;
    for (const finished of this.#waiting) {
      bytes += finished.bytes;
      if (count > 0 && most === MOST_REPORTS && (count >= most || bytes > MOST_BYTES)) break;
      count += 1;
    }
    const taken = this.#waiting.splice(0, count);
    for (const finished of taken) this.#waitingBytes -= finished.bytes;
    return taken;
  }

  #putBack(batch: Finished[]): void {
    this.#waiting.unshift(...batch);
    for (const { bytes } of batch) this.#waitingBytes += bytes;
  }

  /** Undefined when every report is settled, else after how long to try again at the earliest. */
  async #tell(all: Finished[], signal: AbortSignal): Promise<number | undefined> {
    const { work, processId } = this.#options;
    const batch = all.filter((finished) => {
      if (finished.lease.leftMs > 0) return true;
      this.#giveUp(finished);
      return false;
    });
    if (batch.length === 0) return undefined;
    const reports = batch.map(({ lease, report }) => ({ claim: lease.claim, ...report }));
    try {
      const { results } = await work.reportWork({ processId, reports }, { signal });
      for (const [index, finished] of batch.entries()) {
        const result = results[index];
        const reason = result?.problem?.reason;
        if (reason === undefined || reason === Reason.CLAIM_SPENT) this.#counts.accepted += 1;
        else {
          this.#counts.stale += 1;
          if (reason === Reason.STALE_CLAIM) finished.onTakenBack?.();
        }
        this.#counts.refusedPoints += Number(result?.written?.refusedPoints ?? 0n);
      }
      return undefined;
    } catch (error) {
      const verdict = judge(error);
      if (verdict.action === "split") {
        await this.#makeSmaller(batch, verdict.message, signal);
        return undefined;
      }
      this.#putBack(batch);
      this.#options.log.debug({ reason: verdict.message }, "reports wait for the server");
      return verdict.retryAfterMs;
    }
  }

  /** One report that the server cannot take must not keep the others from it. */
  async #makeSmaller(batch: Finished[], reason: string, signal: AbortSignal): Promise<void> {
    const half = Math.ceil(batch.length / 2);
    if (batch.length > 1) {
      for (const part of [batch.slice(0, half), batch.slice(half)]) await this.#tell(part, signal);
      return;
    }
    const [finished] = batch;
    if (!finished) return;
    this.#options.log.warn(
      { workId: finished.lease.claim.workId, reason },
      "a report is refused as it is",
    );
    if (!finished.inBrief) return this.#giveUp({ ...finished, onUntold: () => {} });
    const { inBrief, ...rest } = finished;
    await this.#tell([{ ...rest, report: inBrief }], signal);
  }
}
