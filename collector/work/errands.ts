import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import type { DeliverTask, TestTask, WorkItem } from "../../gen/lumetry/edge/v1/work_pb.js";
import type { WorkService } from "../../gen/lumetry/edge/v1/work_service_pb.js";
import { briefly, sizeOf } from "./brief.ts";
import { deliver } from "./delivering.ts";
import type { Lease } from "./lease.ts";
import type { Leases } from "./leases.ts";
import { tellProgress } from "./progress.ts";
import type { Reporting } from "./reporting.ts";
import { type ReadingParts, takeReading } from "./take-reading.ts";

const DEFAULT_BUDGET_MS = 30_000;

export interface ErrandsOptions {
  testSlots: number;
  deliverySlots: number;
  work: Client<typeof WorkService>;
  processId: string;
  leases: Leases;
  reporting: Reporting;
  reading: ReadingParts;
  signal: AbortSignal;
}

/** What somebody waits for: tests and deliveries, in slots of their own that polls never take. */
export class Errands {
  readonly #options: ErrandsOptions;
  #tests = 0;
  #deliveries = 0;
  #done = { tests: 0, deliveries: 0 };

  constructor(options: ErrandsOptions) {
    this.#options = options;
  }

  get testRoom(): number {
    return this.#options.testSlots - this.#tests;
  }

  get deliveryRoom(): number {
    return this.#options.deliverySlots - this.#deliveries;
  }

  status() {
    const { testSlots, deliverySlots } = this.#options;
    return {
      tests: { slots: testSlots, running: this.#tests, done: this.#done.tests },
      deliveries: {
        slots: deliverySlots,
        running: this.#deliveries,
        done: this.#done.deliveries,
      },
    };
  }

  async test(item: WorkItem, task: TestTask, lease: Lease): Promise<void> {
    const { work, processId, leases, reporting, reading: parts, signal } = this.#options;
    this.#tests += 1;
    const onPhase = tellProgress(work, processId, lease);
    const { reading } = await takeReading(
      {
        settings: task.settings,
        secrets: task.secrets,
        budgetMs: budgetOf(item),
        signal: AbortSignal.any([signal, lease.lost]),
        onPhase,
      },
      parts,
    );
    this.#tests -= 1;
    this.#done.tests += 1;
    leases.release(lease);
    if (lease.lost.aborted) return;
    reporting.add({
      lease,
      bytes: sizeOf(reading),
      report: { outcome: { case: "reading", value: reading } },
      inBrief: { outcome: { case: "reading", value: briefly(reading) } },
    });
  }

  async deliver(item: WorkItem, task: DeliverTask, lease: Lease): Promise<void> {
    const { leases, reporting, reading, signal } = this.#options;
    this.#deliveries += 1;
    const result = await deliver(task, {
      dialler: reading.dialler,
      budgetMs: budgetOf(item),
      signal: AbortSignal.any([signal, lease.lost]),
    });
    this.#deliveries -= 1;
    this.#done.deliveries += 1;
    leases.release(lease);
    if (lease.lost.aborted) return;
    reporting.add({
      lease,
      bytes: 500,
      report: { outcome: { case: "delivery", value: result } },
    });
  }
}

const budgetOf = ({ executionBudget }: WorkItem): number =>
  executionBudget ? durationMs(executionBudget) : DEFAULT_BUDGET_MS;
