import type { Client } from "@connectrpc/connect";
import type { ClockOffset } from "../../edge/clock-offset.ts";
import { Capability } from "../../gen/lumetry/access/v1/access_pb.js";
import type { WorkItem } from "../../gen/lumetry/edge/v1/work_pb.js";
import type { ClaimWorkResponse, WorkService } from "../../gen/lumetry/edge/v1/work_service_pb.js";
import type { Clock } from "../../lib/clock.ts";
import { makeDialler } from "../../lib/egress/dialler.ts";
import { type EgressPolicy, makeEgressPolicy } from "../../lib/egress/policy.ts";
import type { Log } from "../../lib/log.ts";
import { startLoop } from "../../lib/loop.ts";
import { Assignments } from "./assignments.ts";
import { claimWork } from "./claiming.ts";
import { Errands } from "./errands.ts";
import { makeHeldBytes } from "./held-bytes.ts";
import { Lease } from "./lease.ts";
import { Leases } from "./leases.ts";
import { OutagePolls } from "./outage-polls.ts";
import { OutageRuns } from "./outage-runs.ts";
import { PollHistory } from "./poll-history.ts";
import { PollLane } from "./poll-lane.ts";
import { Polling } from "./polling.ts";
import { Reporting } from "./reporting.ts";
import { SealedFile } from "./sealed-file.ts";

export interface WorkSettings {
  dataDir: string;
  pollSlots: number;
  testSlots: number;
  deliverySlots: number;
  /** What the polls of an outage may take on disk. */
  outageLimitBytes: number;
  /** What the answers of all polls under way may take in memory. */
  heldLimitBytes: number;
  /** Whether work may connect to this machine itself. */
  allowLoopback: boolean;
}

export interface WorkParts {
  work: Client<typeof WorkService>;
  /** The one of heartbeats. */
  processId: string;
  offset: ClockOffset;
  clock: Clock;
  log: Log;
  /** Called when the server says that this identity is over. */
  stop: (reason: string) => void;
}

export interface WorkStatus {
  sources: number;
  isInOutage: boolean;
  polls: ReturnType<PollLane["status"]>;
  tests: ReturnType<Errands["status"]>["tests"];
  deliveries: ReturnType<Errands["status"]>["deliveries"];
  claims: number;
  reports: ReturnType<Reporting["status"]>;
  outageRuns: ReturnType<OutageRuns["status"]>;
  heldBytes: number;
}

const CAPABILITIES = [Capability.POLL_SOURCE, Capability.TEST_SOURCE, Capability.DELIVER_WEBHOOK];
const POLLS = { waitMs: 3_000, aheadMs: 1_000 };
const POLLS_PACE_MS = 250;
/** Nothing is granted: an administrator may change that. */
const UNGRANTED_PACE_MS = 10_000;
/** Somebody waits for these: asked for apart from polls, and at once when there is room. */
const ERRANDS = { waitMs: 10_000, aheadMs: 0, paceMs: () => 50 };
const SKIP_EVERY_MS = 500;
/** A server that restarts hands out what was due meanwhile by itself. */
const OUTAGE_AFTER_MS = 3_000;

const ADVICE =
  "an administrator can add its network to those that the work of this zone may reach (lumetry zones update)";
const LOOPBACK_ADVICE = "whoever runs this collector can allow that with --work-loopback true";

function policyFor(allowed: readonly string[], loopback: boolean): EgressPolicy {
  return makeEgressPolicy({
    allowed,
    open: allowed.length === 0 ? ["private"] : [],
    loopback,
    advice: { network: ADVICE, loopback: LOOPBACK_ADVICE },
  });
}

/** The hands of the server in a network that it cannot enter: polls, tests and deliveries. */
export class Work implements AsyncDisposable {
  readonly #settings: WorkSettings;
  readonly #parts: WorkParts;
  readonly #ending = new AbortController();
  readonly #history = new PollHistory();
  readonly #heldBytes: ReturnType<typeof makeHeldBytes>;
  readonly #lane: PollLane;
  readonly #leases: Leases;
  readonly #reporting: Reporting;
  readonly #urgent: Reporting;
  readonly #assignments: Assignments;
  readonly #outage: OutagePolls;
  readonly #outageRuns: OutageRuns;
  readonly #polling: Polling;
  readonly #errands: Errands;
  #policy: EgressPolicy;
  #granted: readonly Capability[] = [];
  /** Ends the wait until the server counts as gone. */
  #doubt: AbortController | undefined;

  private constructor(settings: WorkSettings, parts: WorkParts, kept: Kept) {
    const { work, processId, clock, log } = parts;
    this.#settings = settings;
    this.#parts = parts;
    this.#outageRuns = kept.outageRuns;
    this.#assignments = kept.assignments;
    const { signal } = this.#ending;
    this.#policy = this.#currentPolicy();
    this.#heldBytes = makeHeldBytes(settings.heldLimitBytes);
    const dialler = makeDialler({ refusal: (address) => this.#policy.refusal(address) });
    const reading = { dialler, heldBytes: this.#heldBytes, log };
    this.#lane = new PollLane({ slots: settings.pollSlots, history: this.#history, clock });
    this.#leases = new Leases({ work, processId, clock, log });
    this.#reporting = new Reporting({ work, processId, clock, log });
    this.#urgent = new Reporting({ work, processId, clock, log });
    this.#outage = new OutagePolls({
      sources: () => this.#assignments.values(),
      serverNow: () => this.#serverNow(),
      poll: (source, slot) => this.#polling.takeUnclaimed(source, slot),
      clock,
      onError: (error) => log.error({ err: error }, "the polls of the outage are in disorder"),
    });
    this.#polling = new Polling({
      lane: this.#lane,
      history: this.#history,
      assignments: this.#assignments,
      leases: this.#leases,
      reporting: this.#reporting,
      outageRuns: this.#outageRuns,
      outage: this.#outage,
      reading,
      clock,
      signal,
    });
    this.#errands = new Errands({
      testSlots: settings.testSlots,
      deliverySlots: settings.deliverySlots,
      work,
      processId,
      leases: this.#leases,
      reporting: this.#urgent,
      reading,
      signal,
    });
    kept.onEnded = (sourceId) => {
      this.#lane.forget(sourceId);
      this.#outage.forget(sourceId);
    };
  }

  /** Takes up what was kept in the data directory, which has to be this process's own. */
  static async open(settings: WorkSettings, parts: WorkParts): Promise<Work> {
    const { dataDir, outageLimitBytes } = settings;
    const { work, processId, clock, log } = parts;
    const kept: Partial<Kept> = {};
    const assignments = new Assignments({
      file: await SealedFile.open(dataDir, "assignments"),
      log,
      onEnded: (sourceId) => kept.onEnded?.(sourceId),
    });
    await assignments.load();
    const outageRuns = await OutageRuns.open({
      directory: `${dataDir}/outage-runs`,
      limitBytes: outageLimitBytes,
      work,
      processId,
      clock,
      log,
    });
    return new Work(settings, parts, Object.assign(kept, { assignments, outageRuns }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#assignments.close();
    await this.#outageRuns[Symbol.asyncDispose]();
  }

  #currentPolicy(): EgressPolicy {
    const { allowedNetworks = [] } = this.#assignments.policy ?? {};
    return policyFor(allowedNetworks, this.#settings.allowLoopback);
  }

  /** Works until the signal aborts; then gives back what has not started, and closes every connection. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    const { signal: ending } = this.#ending;
    const telling = new AbortController();
    signal.addEventListener("abort", () => this.#ending.abort(), { once: true });
    if (signal.aborted) this.#ending.abort();
    const told = [this.#reporting, this.#urgent].map((one) => one.run(telling.signal));
    await Promise.all([
      this.#claimPolls(ending),
      this.#claimErrands(ending),
      this.#leases.run(ending),
      this.#outage.run(ending),
      this.#outageRuns.run(ending),
      startLoop(() => this.#lane.skipOverdue(), {
        every: () => SKIP_EVERY_MS,
        clock,
        signal: ending,
        onError: (error) => log.error({ err: error }, "the poll lane is in disorder"),
      }).done,
    ]);
    await this.#polling.stop();
    telling.abort();
    await Promise.all(told);
    // What could not be told after all goes to the disk, too.
    await this.#polling.kept();
  }

  #claimPolls(signal: AbortSignal): Promise<void> {
    return claimWork(
      {
        ...this.#common(),
        ...POLLS,
        paceMs: ({ capabilities }) =>
          capabilities.includes(Capability.POLL_SOURCE) ? POLLS_PACE_MS : UNGRANTED_PACE_MS,
        room: () => ({ mostPolls: this.#polling.room, mostTests: 0, mostDeliveries: 0 }),
        onAnswer: (answer, sentAt) => this.#takePolls(answer, sentAt, signal),
        onOutage: () => void this.#noteOutage(OUTAGE_AFTER_MS),
        // It has been waited for as long as that already.
        onOverdue: () => void this.#noteOutage(0),
        onDeclined: () => this.#noteReached(this.#serverNow(), { isDeclined: true }),
      },
      signal,
    );
  }

  #claimErrands(signal: AbortSignal): Promise<void> {
    return claimWork(
      {
        ...this.#common(),
        ...ERRANDS,
        room: () => ({
          mostPolls: 0,
          mostTests: this.#may(Capability.TEST_SOURCE) ? this.#errands.testRoom : 0,
          mostDeliveries: this.#may(Capability.DELIVER_WEBHOOK) ? this.#errands.deliveryRoom : 0,
        }),
        onAnswer: async (answer, sentAt) => this.#takeErrands(answer, sentAt),
        // Those who claim polls see to it.
        onOutage: () => {},
        onOverdue: () => {},
        onDeclined: () => {},
      },
      signal,
    );
  }

  #common() {
    const { work, processId, stop, clock, log } = this.#parts;
    const assignmentsRevision = () => this.#assignments.revision;
    const capabilities = CAPABILITIES;
    return { work, processId, stop, clock, log, assignmentsRevision, capabilities };
  }

  #may(capability: Capability): boolean {
    return this.#granted.includes(capability);
  }

  #serverNow(): number {
    return this.#parts.clock.now() - this.#assignments.offsetMs;
  }

  async #noteOutage(afterMs: number): Promise<void> {
    this.#outage.doubt();
    if (this.#doubt) return;
    const doubt = new AbortController();
    this.#doubt = doubt;
    const { clock, log } = this.#parts;
    await clock.sleep(afterMs, AbortSignal.any([doubt.signal, this.#ending.signal]));
    if (doubt.signal.aborted || this.#ending.signal.aborted) return;
    this.#outage.begin();
    if (this.#assignments.size === 0) return;
    log.warn({ sources: this.#assignments.size }, "polling goes on without the server");
  }

  /** Whatever was due until then is the server's business. */
  #noteReached(coveredUntil: number, options: { isDeclined: boolean }): void {
    this.#doubt?.abort();
    this.#doubt = undefined;
    this.#outage.end(coveredUntil, options);
  }

  async #takePolls(answer: ClaimWorkResponse, sentAt: number, signal: AbortSignal): Promise<void> {
    const { work, processId, offset, clock } = this.#parts;
    this.#granted = answer.capabilities;
    this.#assignments.offsetMs = offset.current() ?? this.#assignments.offsetMs;
    const isDeclined = !this.#may(Capability.POLL_SOURCE);
    this.#noteReached(this.#serverNow() - (clock.monotonic() - sentAt), { isDeclined });
    this.#outageRuns.hurry();
    const leases = answer.items.map((item) => this.#hold(item, sentAt));
    const isNews = answer.assignmentsRevision !== this.#assignments.revision;
    if (!isDeclined && isNews) {
      this.#polling.expect(answer.items);
      try {
        await this.#assignments.sync(work, processId, signal);
      } catch (error) {
        // Nobody polls them, so nobody renews their claims: they are handed out again.
        for (const lease of leases) this.#leases.release(lease);
        throw error;
      }
    }
    this.#takePolicy(answer);
    for (const [index, item] of answer.items.entries()) {
      const lease = leases[index];
      if (lease && item.task.case === "poll") this.#polling.take(item, item.task.value, lease);
    }
  }

  #takeErrands(answer: ClaimWorkResponse, sentAt: number): void {
    this.#granted = answer.capabilities;
    this.#takePolicy(answer);
    for (const item of answer.items) {
      const { task } = item;
      if (task.case === "test") void this.#errands.test(item, task.value, this.#hold(item, sentAt));
      if (task.case === "deliver") {
        void this.#errands.deliver(item, task.value, this.#hold(item, sentAt));
      }
    }
  }

  #hold(item: WorkItem, sentAt: number): Lease {
    const lease = new Lease(item, sentAt, this.#parts.clock);
    this.#leases.hold(lease, item.task.case === "poll" ? "go on" : "abort");
    return lease;
  }

  #takePolicy({ networkPolicy }: ClaimWorkResponse): void {
    if (!networkPolicy) return;
    this.#assignments.policy = networkPolicy;
    this.#policy = this.#currentPolicy();
  }

  /** How it is doing; with `reset`, lateness is counted anew from here on. */
  status(options = { reset: false }): WorkStatus {
    const reports = this.#reporting.status();
    const urgent = this.#urgent.status();
    return {
      sources: this.#assignments.size,
      isInOutage: this.#outage.isOn,
      polls: this.#lane.status(options),
      ...this.#errands.status(),
      claims: this.#leases.size,
      reports: {
        waiting: reports.waiting + urgent.waiting,
        accepted: reports.accepted + urgent.accepted,
        stale: reports.stale + urgent.stale,
        refusedPoints: reports.refusedPoints + urgent.refusedPoints,
        untold: reports.untold + urgent.untold,
      },
      outageRuns: this.#outageRuns.status(),
      heldBytes: this.#heldBytes.held,
    };
  }
}

/** What outlives a process, and whom to tell of sources that end. */
interface Kept {
  assignments: Assignments;
  outageRuns: OutageRuns;
  onEnded?: (sourceId: string) => void;
}
