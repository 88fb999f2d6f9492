import path from "node:path";
import type { Log } from "../../lib/log.ts";
import { makeTurns } from "../../lib/turns.ts";
import type { Span } from "./catalog.ts";
import { removeTree, sizeOf } from "./disk.ts";
import { encodeRecord, frameBytes, type Position, type QueueRecord } from "./frame.ts";
import type { Meta } from "./meta.ts";
import type { Quarantine } from "./quarantine.ts";
import { finishSwap } from "./salvage.ts";
import { Segment, segmentName } from "./segment.ts";
import type { Sizes } from "./sizes.ts";

/** The segment that appends go to, and how far it is durable. */
export interface Tail {
  first: Position;
  end: Position;
  startTime: number;
  endTime: number;
  /** Frames in it, before compression. */
  bytes: number;
  /** Undefined until the first append, and from the moment it is being closed. */
  segment: Segment | undefined;
  /** Set by a failed write: nothing may follow it in this segment. */
  broken: boolean;
}

export function emptyTail(at: Position): Tail {
  return {
    first: at,
    end: at,
    startTime: Number.POSITIVE_INFINITY,
    endTime: Number.NEGATIVE_INFINITY,
    bytes: 0,
    segment: undefined,
    broken: false,
  };
}

export interface RowParts {
  /** The queue's directory. */
  directory: string;
  sizes: Sizes;
  meta: Meta;
  quarantine: Quarantine;
  log: Log;
}

/**
 * The row of segments, oldest first: closed ones, known by their spans, and the open tail. All but
 * `append` is for one caller at a time; `append` may run beside the others.
 */
export class Row {
  readonly directory: string;
  readonly segments: string;
  readonly sizes: Sizes;
  readonly meta: Meta;
  readonly quarantine: Quarantine;
  readonly log: Log;
  tail: Tail;
  /** Nothing of an earlier process was found. */
  isNew = false;
  /** What the directory takes on disk: as last measured, give or take what has come and gone since. */
  diskBytes = 0;
  /** The one closed segment that is open for reading. */
  #reading: Segment | undefined;
  readonly #writing = makeTurns();

  constructor(parts: RowParts, tail: Tail) {
    this.directory = parts.directory;
    this.segments = path.join(parts.directory, "segments");
    this.sizes = parts.sizes;
    this.meta = parts.meta;
    this.quarantine = parts.quarantine;
    this.log = parts.log;
    this.tail = tail;
  }

  get spans(): Span[] {
    return [...this.meta.catalog.spans.values()];
  }

  /** True when the tail takes this many bytes of frames more. */
  fits(bytes: number): boolean {
    const { tail } = this;
    if (!tail.segment || tail.broken) return false;
    return tail.bytes === 0 || tail.bytes + bytes <= this.sizes.segment;
  }

  /** Makes records durable in one write; false when the tail has no room and `roll` is due. */
  append(records: QueueRecord[]): Promise<boolean> {
    return this.#writing(async () => {
      const { tail } = this;
      const size = records.reduce((sum, record) => sum + frameBytes(record), 0);
      if (!tail.segment || !this.fits(size)) return false;
      let { end, startTime, endTime } = tail;
      const frames = records.map((record) => {
        const start = end;
        end = {
          sequence: start.sequence + 1,
          points: start.points + record.points,
          bytes: start.bytes + record.payload.length,
        };
        startTime = Math.min(startTime, record.startTime);
        endTime = Math.max(endTime, record.endTime);
        return { start, bytes: encodeRecord(start, record) };
      });
      try {
        await tail.segment.append(frames);
      } catch (error) {
        tail.broken = true;
        throw error;
      }
      Object.assign(tail, { end, startTime, endTime, bytes: tail.bytes + size });
      this.diskBytes += size;
      this.meta.note({ first: tail.first, end, startTime, endTime });
      return true;
    });
  }

  /** Begins a new tail; `makeRoom` runs once the old one is closed and counted. */
  async roll(makeRoom: () => Promise<void>): Promise<void> {
    await this.closeTail();
    await this.meta.trim();
    await makeRoom();
    const { tail } = this;
    const { sequence } = tail.first;
    tail.segment = await Segment.create(this.segments, sequence, this.sizes.segmentBuffer);
  }

  /** Closes the tail, which becomes the last span; may be called again after it failed. */
  async closeTail(): Promise<void> {
    await this.#writing(async () => {
      const { tail } = this;
      if (tail.segment) {
        const { segment } = tail;
        tail.segment = undefined;
        // What cannot be flushed stays in the segment's log and is read from there.
        if (!tail.broken) await segment.flush().catch(() => {});
        await segment.close();
      }
      const { first, end, startTime, endTime } = tail;
      if (end.sequence > first.sequence) {
        const diskBytes = await sizeOf(this.pathOf(first.sequence));
        const span = { first, end, startTime, endTime, lost: 0, missing: false, diskBytes };
        await this.meta.commit({ books: this.meta.books, addSpan: span });
        this.tail = emptyTail(end);
        await this.meta.checkpoint();
      } else {
        await removeTree(this.pathOf(first.sequence));
        this.tail = emptyTail(end);
      }
    });
    await this.removeSettled();
  }

  async measure(): Promise<number> {
    this.diskBytes = await sizeOf(this.directory);
    return this.diskBytes;
  }

  pathOf(first: number): string {
    return path.join(this.segments, segmentName(first));
  }

  /** Where the record at the head is; undefined when there is none. */
  async locate(): Promise<{ span: Span; open: () => Promise<Segment> } | undefined> {
    if (this.meta.books.swap !== undefined) await finishSwap(this);
    const { sequence } = this.meta.books.head;
    if (sequence >= this.tail.end.sequence) return undefined;
    if (sequence >= this.tail.first.sequence && !this.tail.segment) await this.closeTail();
    const { tail } = this;
    const { segment } = tail;
    if (sequence >= tail.first.sequence && segment) {
      const span = { ...tail, lost: 0, missing: false, diskBytes: tail.bytes };
      return { span, open: async () => segment };
    }
    const span = this.spans.find(({ end }) => end.sequence > sequence);
    if (!span) throw new Error(`No segment of the queue holds record ${sequence}.`);
    return { span, open: () => this.#open(span.first.sequence) };
  }

  async #open(first: number): Promise<Segment> {
    if (this.#reading?.first === first) return this.#reading;
    await this.stopReading();
    this.#reading = await Segment.open(this.segments, first, this.sizes.segmentBuffer);
    return this.#reading;
  }

  async stopReading(): Promise<void> {
    const segment = this.#reading;
    this.#reading = undefined;
    await segment?.close();
  }

  /** Forgets and deletes the segments that the head has left behind. */
  async removeSettled(): Promise<void> {
    for (const span of this.spans) {
      if (span.end.sequence > this.meta.books.head.sequence) return;
      await this.meta.commit({ books: this.meta.books, removeSpan: span.first.sequence });
      await this.remove(span.first.sequence);
    }
  }

  /** Deletes a segment that the catalog no longer names. */
  async remove(first: number): Promise<void> {
    await this.meta.checkpoint();
    if (this.#reading?.first === first) await this.stopReading();
    const directory = this.pathOf(first);
    this.diskBytes -= await sizeOf(directory);
    await removeTree(directory);
  }

  /** Closes all that is open, the bookkeeping too. */
  async close(): Promise<void> {
    await this.#writing(async () => {
      const { segment } = this.tail;
      this.tail.segment = undefined;
      await segment?.close();
    });
    await this.stopReading();
    await this.meta.close();
  }
}
