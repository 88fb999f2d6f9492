import { randomBytes } from "node:crypto";
import path from "node:path";
import { type Clock, systemClock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { makeTurns } from "../../lib/turns.ts";
import { Appender } from "./appender.ts";
import { queuedPoints } from "./books.ts";
import type { Drop } from "./catalog.ts";
import { type Batch, Claims } from "./claims.ts";
import type { BatchLimits } from "./cut.ts";
import { Forecast } from "./forecast.ts";
import type { QueueRecord } from "./frame.ts";
import { HeldRecords } from "./held.ts";
import { makeRoom } from "./limit.ts";
import { Meta } from "./meta.ts";
import { type Ownership, own } from "./owner.ts";
import { ParkedRecords } from "./parked.ts";
import { Quarantine } from "./quarantine.ts";
import { recover } from "./recovery.ts";
import type { Row } from "./row.ts";
import { defaultLimitBytes, type Sizes, sizesFor } from "./sizes.ts";

export type { Drop } from "./catalog.ts";
export type { Batch } from "./claims.ts";
export type { BatchLimits } from "./cut.ts";
export type { QueueRecord } from "./frame.ts";
export { QueueInUse } from "./owner.ts";
export { defaultLimitBytes, smallestLimitBytes } from "./sizes.ts";

export interface QueueOptions {
  /** What the directory may take on disk, all in all; at least `smallestLimitBytes`. */
  limitBytes?: number;
  clock?: Clock;
  log: Log;
  /** Random text that begins the batch ids of this process. */
  processEpoch?: string;
}

/**
 * Counters are points since the directory was made, and exact at any time:
 * appended = acknowledged + dropped + damaged + unreadable + queued.
 */
export interface QueueHealth {
  /** What the counters and the ids of drops belong to; another one once the books were lost. */
  queueId: string;
  queuedPoints: number;
  /** Payload bytes that wait, before compression; may exceed the limit, which is for the disk. */
  queuedBytes: number;
  /** What the whole directory takes on disk. */
  diskBytes: number;
  limitBytes: number;
  appendedPoints: number;
  /** Settled by the server, refused ones included. */
  acknowledgedPoints: number;
  refusedPoints: number;
  /** Dropped because the queue was full. */
  droppedPoints: number;
  /** Lost to damaged files. */
  damagedPoints: number;
  /** In records that the server can never read. */
  unreadablePoints: number;
  /** Those of them that are still kept for people to look at. */
  parkedPoints: number;
  /** Lost before they came into the queue, or with one that was here before; not part of the equation. */
  outsidePoints: number;
  /** Unix milliseconds of the oldest queued record's earliest point; a lower bound right after a start. */
  oldestPointTime: number | undefined;
  /** Until points must be dropped if the backlog grows on as in the last minutes; undefined when it does not grow. */
  timeToFullMs: number | undefined;
  drops: Drop[];
}

/**
 * The bounded durable queue between collecting and uploading: a directory that one process owns at
 * a time. Nothing is forgotten by a crash; damage costs what is damaged and is counted.
 */
export interface Queue extends AsyncDisposable {
  /**
   * Resolves when the record is durable; appends in parallel share an fsync. Rejects with a
   * RangeError for a record that does not fit, or with the system's error for a full disk; then the
   * record is not kept, unless the process dies before the next append.
   */
  append(record: QueueRecord): Promise<void>;
  /**
   * The oldest records, or undefined when there are none. Until it is settled the same batch comes
   * again, also after a crash; its records all share one clock offset.
   */
  next(limits: BatchLimits): Promise<Batch | undefined>;
  /** The server has settled the batch; refused points are gone too. */
  acknowledge(batch: Batch, result?: { refusedPoints: number }): Promise<void>;
  /** The batch certainly did not arrive: its records are queued again, under new ids. */
  release(batch: Batch): Promise<void>;
  /** As release, but the next batches are its halves. RangeError for a single record: park it. */
  split(batch: Batch): Promise<void>;
  /** The batch can never be read: its records leave the queue and are counted as unreadable. */
  park(batch: Batch, reason: string): Promise<void>;
  /** Losses that the server has not been told yet, oldest first. */
  readonly drops: Drop[];
  forgetDrops(throughDropId: bigint): Promise<void>;
  health(): QueueHealth;
  /** Whether the directory held nothing of an earlier process when it was opened. */
  readonly isNew: boolean;
  /** Counts points, and enters them in the ledger, that never came into the queue or went with one before it. */
  noteLoss(loss: Omit<Drop, "dropId">): Promise<void>;
  /** Resolves when `next` would return a batch, or when the signal aborts or the queue is closed. */
  waitForRecords(signal?: AbortSignal): Promise<void>;
}

/**
 * Opens or makes the queue in a directory, whatever state that is in. Throws QueueInUse while a
 * process has it open, RangeError for a limit that is too small.
 */
export async function openQueue(directory: string, options: QueueOptions): Promise<Queue> {
  const { limitBytes = defaultLimitBytes, clock = systemClock, log } = options;
  const { processEpoch = randomBytes(9).toString("base64url") } = options;
  const sizes = sizesFor(limitBytes);
  const ownership = await own(directory);
  let row: Row | undefined;
  try {
    const root = ownership.directory;
    const quarantine = new Quarantine(path.join(root, "quarantine"), sizes.quarantine, clock);
    const meta = new Meta(path.join(root, "meta"), sizes, quarantine, log);
    row = await recover({ directory: root, sizes, meta, quarantine, log }, clock);
    const held = new HeldRecords(root);
    if (!meta.books.held) await held.remove();
    const parked = new ParkedRecords(root, sizes.parked);
    await parked.load();
    let batches = 0;
    const claims = new Claims(row, held, parked, () => `${processEpoch}-${++batches}`);
    await makeRoom(row, claims);
    return new DurableQueue({ row, claims, parked, sizes, ownership, clock });
  } catch (error) {
    await row?.close();
    await ownership[Symbol.asyncDispose]();
    throw error;
  }
}

interface Parts {
  row: Row;
  claims: Claims;
  parked: ParkedRecords;
  sizes: Sizes;
  ownership: Ownership;
  clock: Clock;
}

class DurableQueue implements Queue {
  readonly #row: Row;
  readonly #claims: Claims;
  readonly #parked: ParkedRecords;
  readonly #sizes: Sizes;
  readonly #ownership: Ownership;
  readonly #forecast: Forecast;
  readonly #appender: Appender;
  readonly #inTurn = makeTurns();
  readonly #closing = new AbortController();
  #waiters = new Set<() => void>();
  /** Payload bytes that were settled by this process. */
  #settledBytes = 0;
  #closed: Promise<void> | undefined;

  constructor({ row, claims, parked, sizes, ownership, clock }: Parts) {
    this.#row = row;
    this.#claims = claims;
    this.#parked = parked;
    this.#sizes = sizes;
    this.#ownership = ownership;
    this.#forecast = new Forecast(clock);
    this.#appender = new Appender(sizes, (records) => this.#write(records));
  }

  async append(record: QueueRecord): Promise<void> {
    this.#refuseWhenClosed();
    checkRecord(record, this.#sizes.record);
    await this.#appender.append(record);
  }

  async #write(records: QueueRecord[]): Promise<void> {
    const { sequence } = this.#row.tail.end;
    while (!(await this.#row.append(records))) {
      await this.#inTurn(() => this.#row.roll(() => makeRoom(this.#row, this.#claims)));
    }
    this.#claims.noteHead(sequence, records[0]?.startTime ?? 0);
    this.#forecast.note(this.#backlog);
    this.#wake();
  }

  next(limits: BatchLimits): Promise<Batch | undefined> {
    return this.#do(() => this.#claims.next(limits));
  }

  async acknowledge(batch: Batch, { refusedPoints } = { refusedPoints: 0 }): Promise<void> {
    await this.#do(() => this.#claims.acknowledge(batch, refusedPoints));
    for (const { payload } of batch.records) this.#settledBytes += payload.length;
    this.#forecast.note(this.#backlog);
  }

  release(batch: Batch): Promise<void> {
    return this.#do(() => this.#claims.release(batch));
  }

  split(batch: Batch): Promise<void> {
    return this.#do(() => this.#claims.split(batch));
  }

  park(batch: Batch, reason: string): Promise<void> {
    return this.#do(() => this.#claims.park(batch, reason));
  }

  get drops(): Drop[] {
    return [...this.#row.meta.catalog.drops.values()];
  }

  async forgetDrops(throughDropId: bigint): Promise<void> {
    const { meta } = this.#row;
    await this.#do(() => meta.commit({ books: meta.books, forgetDropsThrough: throughDropId }));
  }

  get isNew(): boolean {
    return this.#row.isNew;
  }

  async noteLoss(loss: Omit<Drop, "dropId">): Promise<void> {
    const { meta } = this.#row;
    await this.#do(() => {
      const { books } = meta;
      return meta.commit({
        books: { ...books, outside: books.outside + loss.points },
        addDrop: loss,
      });
    });
  }

  health(): QueueHealth {
    const { books } = this.#row.meta;
    const { end } = this.#row.tail;
    const { diskBytes } = this.#row;
    return {
      queueId: books.queueId,
      queuedPoints: queuedPoints(books, end),
      queuedBytes: end.bytes - books.head.bytes + (books.held?.bytes ?? 0),
      diskBytes,
      limitBytes: this.#sizes.limit,
      appendedPoints: end.points,
      acknowledgedPoints: books.acknowledged,
      refusedPoints: books.refused,
      droppedPoints: books.dropped,
      damagedPoints: books.damaged,
      unreadablePoints: books.unreadable,
      parkedPoints: this.#parked.points,
      outsidePoints: books.outside,
      oldestPointTime: this.#claims.oldestTime,
      timeToFullMs: this.#forecast.timeToFull(this.#backlog, this.#room),
      drops: this.drops,
    };
  }

  waitForRecords(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiters.delete(done);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      if (signal?.aborted || this.#closed || this.#hasRecords) return resolve();
      this.#waiters.add(done);
      signal?.addEventListener("abort", done, { once: true });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    this.#wake();
    await this.#appender.idle();
    try {
      await this.#inTurn(() => this.#row.close());
    } finally {
      await this.#ownership[Symbol.asyncDispose]();
    }
  }

  #refuseWhenClosed(): void {
    if (this.#closing.signal.aborted) throw new Error("The queue is closed.");
  }

  async #do<T>(work: () => Promise<T>): Promise<T> {
    this.#refuseWhenClosed();
    return this.#inTurn(work);
  }

  get #backlog(): number {
    return this.#row.tail.end.bytes - this.#settledBytes;
  }

  /** Payload bytes that the directory still takes, at the rate at which the closed segments were compressed. */
  get #room(): number {
    const { limit, reserve } = this.#sizes;
    const free = limit - reserve - this.#row.diskBytes;
    let [payload, disk] = [0, 0];
    for (const { first, end, diskBytes } of this.#row.spans) {
      payload += end.bytes - first.bytes;
      disk += diskBytes;
    }
    return payload > 0 && disk > 0 ? (free * payload) / disk : free;
  }

  get #hasRecords(): boolean {
    const { books } = this.#row.meta;
    return books.claim !== undefined || queuedPoints(books, this.#row.tail.end) > 0;
  }

  #wake(): void {
    if (this.#hasRecords || this.#closing.signal.aborted) for (const done of this.#waiters) done();
  }
}

function checkRecord(
  { payload, points, startTime, endTime }: QueueRecord,
  mostBytes: number,
): void {
  if (payload.length > mostBytes) {
    throw new RangeError(
      `A record of ${payload.length} bytes is more than this queue takes at once (${mostBytes}): write smaller records or raise the queue limit.`,
    );
  }
  const sane = Number.isInteger(points) && points > 0 && points < 2 ** 32;
  if (!sane || !Number.isFinite(startTime) || !Number.isFinite(endTime)) {
    throw new RangeError("A record needs a whole number of points, at least 1, and finite times.");
  }
}
