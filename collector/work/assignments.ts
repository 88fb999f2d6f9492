import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import type { Assignment, NetworkPolicy } from "../../gen/lumetry/edge/v1/work_pb.js";
import {
  SyncAssignmentsResponseSchema,
  type WorkService,
} from "../../gen/lumetry/edge/v1/work_service_pb.js";
import type { Log } from "../../lib/log.ts";
import type { SealedFile } from "./sealed-file.ts";

/** Keys and certificates in settings are small; several answers are read before all is written once. */
const KEEP_AFTER_MS = 2_000;
/** In front of what is kept: by how much the local clock is ahead, a double. */
const OFFSET_BYTES = 8;

/** An assignment with its times as numbers. */
export interface Source {
  assignment: Assignment;
  intervalMs: number;
  phaseMs: number;
  timeoutMs: number;
}

const sourceOf = (assignment: Assignment): Source => ({
  assignment,
  intervalMs: assignment.interval ? durationMs(assignment.interval) : 60_000,
  phaseMs: assignment.phase ? durationMs(assignment.phase) : 0,
  timeoutMs: assignment.timeout ? durationMs(assignment.timeout) : 10_000,
});

export interface AssignmentsOptions {
  file: SealedFile;
  log: Log;
  /** Called for each source that is no longer this collector's. */
  onEnded: (sourceId: string) => void;
}

/**
 * The sources that this collector polls, as the server last said. Kept on disk, sealed since they
 * hold secrets, so that polling goes on through an outage and a restart in it.
 */
export class Assignments {
  readonly #options: AssignmentsOptions;
  #sources = new Map<string, Source>();
  #revision = 0n;
  #policy: NetworkPolicy | undefined;
  #offsetMs = 0;
  #keeping: NodeJS.Timeout | undefined;
  #kept: Promise<void> = Promise.resolve();

  constructor(options: AssignmentsOptions) {
    this.#options = options;
  }

  /** Takes up what was kept; starts with nothing when that is damaged, until the server tells it anew. */
  async load(): Promise<void> {
    const { file, log } = this.#options;
    try {
      const bytes = await file.read();
      if (!bytes) return;
      this.#offsetMs = bytes.readDoubleLE(0);
      const kept = fromBinary(SyncAssignmentsResponseSchema, bytes.subarray(OFFSET_BYTES));
      for (const one of kept.assignments) this.#sources.set(one.sourceId, sourceOf(one));
      this.#revision = kept.revision;
      this.#policy = kept.networkPolicy;
    } catch (error) {
      log.warn({ err: error }, "the kept assignments cannot be read; they are fetched anew");
    }
  }

  get revision(): bigint {
    return this.#revision;
  }

  /** Where work may connect, as last told. */
  get policy(): NetworkPolicy | undefined {
    return this.#policy;
  }

  set policy(policy: NetworkPolicy | undefined) {
    if (policy?.allowedNetworks.join() === this.#policy?.allowedNetworks.join()) return;
    this.#policy = policy;
    this.#keepSoon();
  }

  /** By how much the local clock was ahead of the server's when that was last known, in milliseconds. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  set offsetMs(offsetMs: number) {
    if (offsetMs === this.#offsetMs) return;
    this.#offsetMs = offsetMs;
    this.#keepSoon();
  }

  get size(): number {
    return this.#sources.size;
  }

  get(sourceId: string): Source | undefined {
    return this.#sources.get(sourceId);
  }

  values(): Iterable<Source> {
    return this.#sources.values();
  }

  /** Asks for everything that changed since the last time. */
  async sync(
    work: Client<typeof WorkService>,
    processId: string,
    signal: AbortSignal,
  ): Promise<void> {
    for (let more = true; more && !signal.aborted; ) {
      const answer = await work.syncAssignments(
        { processId, sinceRevision: this.#revision },
        { signal },
      );
      if (answer.reset) {
        const told = new Set(answer.assignments.map(({ sourceId }) => sourceId));
        for (const sourceId of this.#sources.keys()) if (!told.has(sourceId)) this.#end(sourceId);
      }
      for (const one of answer.assignments) this.#sources.set(one.sourceId, sourceOf(one));
      for (const sourceId of answer.endedSourceIds) this.#end(sourceId);
      this.#revision = answer.revision;
      if (answer.networkPolicy) this.#policy = answer.networkPolicy;
      this.#keepSoon();
      more = answer.more;
    }
  }

  #end(sourceId: string): void {
    if (this.#sources.delete(sourceId)) this.#options.onEnded(sourceId);
  }

  #keepSoon(): void {
    this.#keeping ??= setTimeout(() => {
      this.#keeping = undefined;
      this.#kept = this.#keep();
    }, KEEP_AFTER_MS);
  }

  async #keep(): Promise<void> {
    const { file, log } = this.#options;
    const kept = create(SyncAssignmentsResponseSchema, {
      revision: this.#revision,
      assignments: [...this.#sources.values()].map(({ assignment }) => assignment),
      ...(this.#policy ? { networkPolicy: this.#policy } : {}),
    });
    const offset = Buffer.alloc(OFFSET_BYTES);
    offset.writeDoubleLE(this.#offsetMs);
    try {
      await file.write(Buffer.concat([offset, toBinary(SyncAssignmentsResponseSchema, kept)]));
    } catch (error) {
      log.warn(
        { err: error },
        "the assignments cannot be kept; after a restart in an outage nothing would be polled",
      );
    }
  }

  /** Everything is on disk afterwards. */
  async close(): Promise<void> {
    const isDue = this.#keeping !== undefined;
    clearTimeout(this.#keeping);
    this.#keeping = undefined;
    await this.#kept;
    if (isDue) await this.#keep();
  }
}
