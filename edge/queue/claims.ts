import { type Claim, type Fate, type Held, passTo, settleHeld } from "./books.ts";
import type { Span } from "./catalog.ts";
import { type BatchLimits, type Cut, cutRow, readRow, sums, take, timesOf } from "./cut.ts";
import type { Frame, QueueRecord } from "./frame.ts";
import type { HeldRecords } from "./held.ts";
import type { ParkedRecords } from "./parked.ts";
import type { Row } from "./row.ts";

/** The oldest records, in order, under an id that stays theirs until they are settled. */
export interface Batch {
  batchId: string;
  records: QueueRecord[];
  points: number;
  /** The offset that all of its records share. */
  clockOffsetMs: number | undefined;
}

/**
 * The way out of the queue. One batch at a time is in flight:
 *
 *     queued --next--> claimed --acknowledge--> gone, counted as acknowledged
 *                      claimed --park---------> gone, counted as unreadable
 *                      claimed --release/split-> queued
 *
 * A claim outlives crashes: nobody knows whether the batch arrived, so it is handed out again as it was.
 */
export class Claims {
  readonly #row: Row;
  readonly #held: HeldRecords;
  readonly #parked: ParkedRecords;
  readonly #newBatchId: () => string;
  #current: { batch: Batch; cut: Cut } | undefined;
  /** The earliest point of the record at the head, while that is known. */
  #headTime: { sequence: number; time: number } | undefined;

  constructor(row: Row, held: HeldRecords, parked: ParkedRecords, newBatchId: () => string) {
    this.#row = row;
    this.#held = held;
    this.#parked = parked;
    this.#newBatchId = newBatchId;
  }

  async next(limits: BatchLimits): Promise<Batch | undefined> {
    if (this.#current) return this.#current.batch;
    const { claim } = this.#books;
    if (claim && (await this.#takeUp(claim))) return this.#batch;
    const cut = (await this.#cutHeld(limits)) ?? (await cutRow(this.#row, limits));
    const [firstFrame] = cut.frames;
    const lastFrame = cut.frames.at(-1);
    if (!firstFrame || !lastFrame) return undefined;
    const fresh: Claim = {
      batchId: this.#newBatchId(),
      first: firstFrame.start.sequence,
      end: lastFrame.end,
      ...sums(cut.frames),
    };
    await this.#row.meta.commit({ books: { ...this.#books, claim: fresh } });
    return this.#setCurrent(fresh, cut);
  }

  /** The server has it: refused points are gone for good too, counted apart. Throws when the batch is not the one in flight. */
  async acknowledge(batch: Batch, refusedPoints: number): Promise<void> {
    const { claim } = this.#mine(batch);
    const refused = Math.min(Math.max(0, refusedPoints), claim.points);
    await this.#settle(claim, { acknowledged: claim.points, refused });
  }

  /** It certainly did not arrive: its records are free to be cut anew, or dropped. */
  async release(batch: Batch): Promise<void> {
    this.#mine(batch);
    await this.#row.meta.commit({ books: { ...this.#books, claim: undefined } });
    this.#current = undefined;
  }

  /** It did not arrive and must be smaller: the next batches end in its middle and at its end. */
  async split(batch: Batch): Promise<void> {
    const { cut } = this.#mine(batch);
    const sequences = cut.frames.map(({ start }) => start.sequence);
    const [middle, last] = [sequences[(sequences.length >> 1) - 1], sequences.at(-1)];
    if (middle === undefined || last === undefined) {
      throw new RangeError(`Batch ${batch.batchId} is a single record; it cannot be split.`);
    }
    const cuts = [...new Set([...this.#books.cuts, middle, last])].sort((a, b) => a - b);
    await this.#row.meta.commit({ books: { ...this.#books, claim: undefined, cuts } });
    this.#current = undefined;
  }

  /** It can never be read: its records leave the queue, counted as unreadable. */
  async park(batch: Batch, reason: string): Promise<void> {
    const { claim, cut } = this.#mine(batch);
    for (const frame of cut.frames) await this.#parked.add(frame, reason);
    await this.#settle(claim, { unreadable: claim.points });
  }

  /** Before a span is dropped: saves the batch in flight from it, if there is one. */
  async hold(span: Span): Promise<Held | undefined> {
    const { claim, held } = this.#books;
    if (!claim || held || claim.first >= span.end.sequence) return undefined;
    if (!this.#current && !(await this.#takeUp(claim))) return undefined;
    const frames = this.#current?.cut.frames ?? [];
    await this.#held.write(frames);
    const last = claim.end.sequence - 1;
    return { first: claim.first, last, ...sums(frames), ...timesOf(frames) };
  }

  async forgetHeld(): Promise<void> {
    await this.#row.meta.checkpoint();
    await this.#held.remove();
  }

  /** Tells the earliest point of the record that an append has put at the head. */
  noteHead(sequence: number, time: number): void {
    if (sequence === this.#books.head.sequence) this.#headTime = { sequence, time };
  }

  /** Unix milliseconds of the oldest queued record's earliest point; a lower bound right after a start. */
  get oldestTime(): number | undefined {
    const { claim, held } = this.#books;
    if (held) return held.startTime;
    if (claim && this.#current) return this.#current.cut.frames[0]?.startTime;
    return this.headTime;
  }

  /** The same of the record at the head, whatever is held. */
  get headTime(): number | undefined {
    const { head } = this.#books;
    if (this.#headTime?.sequence === head.sequence) return this.#headTime.time;
    if (head.sequence >= this.#row.tail.end.sequence) return undefined;
    const span = this.#row.spans.find(({ end }) => end.sequence > head.sequence);
    return (span ?? this.#row.tail).startTime;
  }

  /** The same of the record after the batch in flight, where it is known. */
  get nextTime(): number | undefined {
    return this.#current?.cut.nextTime;
  }

  get #books() {
    return this.#row.meta.books;
  }

  get #batch() {
    return this.#current?.batch;
  }

  #mine(batch: Batch): { claim: Claim; cut: Cut } {
    const { claim } = this.#books;
    if (!claim || claim.batchId !== batch.batchId || !this.#current) {
      throw new Error(`Batch ${batch.batchId} is not the one in flight.`);
    }
    return { claim, cut: this.#current.cut };
  }

  #setCurrent(claim: Claim, cut: Cut): Batch {
    const { batchId, points } = claim;
    const clockOffsetMs = cut.frames[0]?.clockOffsetMs;
    const batch = { batchId, records: cut.frames.map(recordOf), points, clockOffsetMs };
    this.#current = { batch, cut };
    return batch;
  }

  async #settle(claim: Claim, fate: Fate): Promise<void> {
    const { meta } = this.#row;
    const { held } = this.#books;
    const cut = this.#current?.cut;
    const addDrop = fate.unreadable
      ? {
          ...timesOf(cut?.frames ?? []),
          points: fate.unreadable,
          reason: "unreadable" as const,
        }
      : undefined;
    if (held) {
      await meta.commit({ books: settleHeld(this.#books, held, claim, fate), addDrop });
    } else {
      const span = this.#row.spans.find(({ end }) => end.sequence > claim.first);
      const { books, lost } = passTo(this.#books, claim.end, span?.lost ?? 0, fate);
      const addSpan = span && lost > 0 ? { ...span, lost: span.lost - lost } : undefined;
      await meta.commit({ books: { ...books, claim: undefined }, addSpan, addDrop });
      if (cut?.nextTime !== undefined) {
        this.#headTime = { sequence: claim.end.sequence, time: cut.nextTime };
      }
    }
    this.#current = undefined;
    try {
      if (held && !this.#books.held) await this.forgetHeld();
      await this.#row.removeSettled();
    } catch (error) {
      // The batch is settled all the same; what is left to delete goes with the next one.
      this.#row.log.warn({ err: error }, "The queue could not delete what was acknowledged.");
    }
  }

  /** Reads a claim's records again after a start; false when damage has left none of them. */
  async #takeUp(claim: Claim): Promise<boolean> {
    const frames = this.#books.held ? await this.#readHeld(claim) : await readRow(this.#row, claim);
    if (frames.length === 0) {
      await this.#row.meta.commit({ books: { ...this.#books, claim: undefined } });
      return false;
    }
    const left = { ...claim, ...sums(frames) };
    if (left.points !== claim.points) {
      await this.#row.meta.commit({ books: { ...this.#books, claim: left } });
    }
    this.#setCurrent(left, { frames });
    return true;
  }

  /** The records of the held file from a claim's first to its end; what is no longer there is counted. */
  async #readHeld(range: { first: number; end: { sequence: number } }): Promise<Frame[]> {
    const { held } = this.#books;
    if (!held) return [];
    const all = await this.#held.read(held.first, held.last);
    const found = sums(all);
    const lost = held.points - found.points;
    if (lost > 0) {
      const books = {
        ...this.#books,
        damaged: this.#books.damaged + lost,
        held: found.points > 0 ? { ...held, ...found } : undefined,
      };
      const { startTime, endTime } = held;
      const addDrop = { startTime, endTime, points: lost, reason: "damage" as const };
      await this.#row.meta.commit({ books, addDrop });
    }
    return all.filter(
      ({ start }) => start.sequence >= range.first && start.sequence < range.end.sequence,
    );
  }

  async #cutHeld(limits: BatchLimits): Promise<Cut | undefined> {
    const { held } = this.#books;
    if (!held) return undefined;
    const frames = await this.#readHeld({
      first: held.first,
      end: { sequence: held.last + 1 },
    });
    const cut: Cut = { frames: [] };
    for (const frame of frames) if (!take(cut, frame, limits, this.#books.cuts)) break;
    return cut.frames.length > 0 ? cut : undefined;
  }
}

function recordOf(frame: Frame): QueueRecord {
  const { payload, points, startTime, endTime, clockOffsetMs } = frame;
  return { payload, points, startTime, endTime, clockOffsetMs };
}
