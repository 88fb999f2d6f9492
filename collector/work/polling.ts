import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { PollTask, WorkItem } from "../../gen/lumetry/edge/v1/work_pb.js";
import type { Clock } from "../../lib/clock.ts";
import type { Assignments, Source } from "./assignments.ts";
import { briefly, sizeOf } from "./brief.ts";
import type { Lease } from "./lease.ts";
import type { Leases } from "./leases.ts";
import type { OutagePolls } from "./outage-polls.ts";
import type { OutageRuns } from "./outage-runs.ts";
import type { PollHistory } from "./poll-history.ts";
import type { PollLane } from "./poll-lane.ts";
import type { Reporting } from "./reporting.ts";
import { span } from "./span.ts";
import { type ReadingParts, type Taken, takeReading } from "./take-reading.ts";

/** What is waiting for a slot for longer is of no use to a chart any more. */
const MOST_PATIENCE_MS = 20_000;
/** Claimed and not yet running, all in all: the memory that waiting may take. */
const MOST_HELD = 2_000;
const MOST_IN_ONE_CALL = 1_000;
const STOPPING = "this collector stops";

export interface PollingOptions {
  lane: PollLane;
  history: PollHistory;
  assignments: Assignments;
  leases: Leases;
  reporting: Reporting;
  outageRuns: OutageRuns;
  outage: OutagePolls;
  reading: ReadingParts;
  clock: Clock;
  signal: AbortSignal;
}

const slotOf = ({ scheduledTime }: PollTask) => (scheduledTime ? timestampMs(scheduledTime) : 0);

/** Makes the polls that were claimed, and those of an outage, and sees to it that each is told. */
export class Polling {
  readonly #options: PollingOptions;
  /** Claimed, and due in a moment. */
  #early = new Set<Lease>();
  /** Made in an outage, and on the way to the disk. */
  #keeping = new Set<Promise<void>>();

  constructor(options: PollingOptions) {
    this.#options = options;
  }

  /** How many more polls can be taken on. */
  get room(): number {
    const held = this.#early.size + this.#options.lane.waiting;
    return Math.max(0, Math.min(MOST_HELD - held, MOST_IN_ONE_CALL));
  }

  /** They are handed out, and taken on in a moment: nobody polls them unclaimed meanwhile. */
  expect(items: readonly WorkItem[]): void {
    const { assignments, outage } = this.#options;
    for (const { task } of items) {
      if (task.case !== "poll" || !assignments.get(task.value.sourceId)) continue;
      outage.noteSlot(task.value.sourceId, slotOf(task.value));
    }
  }

  /** A poll that was claimed. */
  take(item: WorkItem, task: PollTask, lease: Lease): void {
    const { assignments, lane, outage, clock } = this.#options;
    const source = assignments.get(task.sourceId);
    if (!source || source.assignment.revision < task.assignmentRevision) {
      this.#giveBack(lease, "this collector has not heard of the assignment yet");
      return;
    }
    const slot = slotOf(task);
    outage.noteSlot(task.sourceId, slot);
    const startInMs = item.startIn ? durationMs(item.startIn) : 0;
    const budgetMs = item.executionBudget ? durationMs(item.executionBudget) : source.timeoutMs;
    const dueAt = clock.monotonic() + startInMs;
    const add = () => {
      const added = lane.add({
        sourceId: task.sourceId,
        dueAt,
        skipAfter: dueAt + Math.min(source.intervalMs, MOST_PATIENCE_MS),
        run: () => this.#read(source, budgetMs, lease.lost),
        done: (taken) => this.#report(source, slot, lease, taken),
        skip: () => this.#skip(lease),
      });
      if (!added) this.#giveBack(lease, "a poll of this source waits here already");
    };
    if (startInMs <= 0) add();
    else void this.#later(startInMs, lease, add);
  }

  async #later(ms: number, lease: Lease, add: () => void): Promise<void> {
    const { clock, signal } = this.#options;
    this.#early.add(lease);
    await clock.sleep(ms, signal);
    this.#early.delete(lease);
    if (signal.aborted) this.#giveBack(lease, STOPPING);
    else add();
  }

  /** A poll that nobody handed out, since the server cannot be reached; false when one of its source waits. */
  takeUnclaimed(source: Source, slot: number): boolean {
    const { lane, outage, history, outageRuns, clock } = this.#options;
    const { sourceId } = source.assignment;
    const dueAt = clock.monotonic();
    return lane.add({
      sourceId,
      dueAt,
      skipAfter: dueAt + Math.min(source.intervalMs, MOST_PATIENCE_MS),
      run: () => this.#read(source, source.timeoutMs),
      done: ({ reading }) => {
        if (this.#options.signal.aborted) return;
        const backOffMs = history.backOffMs(sourceId, source.intervalMs);
        if (backOffMs > 0) outage.leaveAlone(sourceId, slot + backOffMs);
        this.#keep(outageRuns.add(sourceId, slot, reading));
      },
      skip: () => {},
    });
  }

  /** After the signal: gives back what was claimed, and waits until nothing runs. */
  async stop(): Promise<void> {
    this.#options.lane.clear();
    await this.#options.lane.settled();
    await this.kept();
  }

  /** Waits for what is on its way to the disk. */
  async kept(): Promise<void> {
    await Promise.all(this.#keeping);
  }

  #keep(kept: Promise<void>): void {
    const noted = kept.finally(() => this.#keeping.delete(noted));
    this.#keeping.add(noted);
  }

  #read(source: Source, budgetMs: number, lost?: AbortSignal): Promise<Taken> {
    const { signal, reading } = this.#options;
    const { settings, secrets } = source.assignment;
    return takeReading(
      {
        settings,
        secrets,
        budgetMs,
        signal: lost ? AbortSignal.any([signal, lost]) : signal,
      },
      reading,
    );
  }

  #report(source: Source, slot: number, lease: Lease, { reading }: Taken): void {
    const { leases, reporting, history, outage, outageRuns, signal } = this.#options;
    leases.release(lease);
    if (lease.lost.aborted) return;
    if (signal.aborted) {
      this.#giveBack(lease, STOPPING);
      return;
    }
    const { sourceId } = source.assignment;
    const backOffMs = history.backOffMs(sourceId, source.intervalMs);
    const backOff = backOffMs > 0 ? { backOff: span(backOffMs) } : {};
    if (backOffMs > 0) {
      outage.leaveAlone(sourceId, slot + backOffMs);
      reading.facts.back_off = `polled again in ${Math.round(backOffMs / 1000)} s, since it ${reading.up ? "is slow" : "fails"}`;
    }
    reporting.add({
      lease,
      bytes: sizeOf(reading),
      report: { outcome: { case: "reading", value: reading }, ...backOff },
      inBrief: { outcome: { case: "reading", value: briefly(reading) }, ...backOff },
      // What cannot be told under its claim is told like the polls of an outage.
      onUntold: () => this.#keep(outageRuns.add(sourceId, slot, reading)),
      // A claim that was taken back while the server was in doubt leaves its slot empty. At other times
      // it was ended on purpose: the source was changed or paused, and the reading is void.
      onTakenBack: () => {
        if (outage.wasInDoubtSince(lease.sentAt)) {
          this.#keep(outageRuns.add(sourceId, slot, reading));
        }
      },
    });
  }

  #skip(lease: Lease): void {
    if (this.#options.signal.aborted) this.#giveBack(lease, STOPPING);
    // The claim ends by itself: given back, it would only come again.
    else this.#options.leases.release(lease);
  }

  #giveBack(lease: Lease, reason: string): void {
    this.#options.leases.release(lease);
    this.#options.reporting.add({
      lease,
      bytes: 200,
      report: { outcome: { case: "release", value: { reason } } },
    });
  }
}
