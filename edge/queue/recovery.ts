import path from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { type Books, emptyBooks } from "./books.ts";
import { type Catalog, changed, type Mark, type Span } from "./catalog.ts";
import { Damage } from "./database.ts";
import { makeDirectory, namesIn, removeTree, sizeOf } from "./disk.ts";
import type { Position } from "./frame.ts";
import { emptyTail, Row, type RowParts, type Tail } from "./row.ts";
import { finishSwap, salvage, swapFiles } from "./salvage.ts";
import { segmentName } from "./segment.ts";
import { survey } from "./survey.ts";

/**
 * Brings catalog and directory together at a start. Nothing is opened but the bookkeeping and the
 * last segment, unless damage has left segments that the catalog does not know.
 */
export async function recover(parts: RowParts, clock: Clock): Promise<Row> {
  const row = new Row(parts, emptyTail(emptyBooks().head));
  try {
    await reconcile(row, clock);
    return row;
  } catch (error) {
    await row.close();
    throw error;
  }
}

async function reconcile(row: Row, clock: Clock): Promise<void> {
  const { meta } = row;
  await makeDirectory(row.segments);
  const { catalog, mark } = await meta.load();
  if (catalog?.books.swap !== undefined) await swapFiles(row, catalog.books.swap);
  await removeTree(path.join(row.directory, "salvage"));
  const found = await segmentsIn(row.segments);
  row.isNew = catalog === undefined && found.length === 0;
  const plan = new Plan(row, catalog, found, clock);
  try {
    await plan.lookAtSegments(mark);
  } finally {
    row.tail = plan.tail;
  }
  await meta.replace(plan.catalog);
  await meta.checkpoint();
  for (const first of plan.stale) await removeTree(row.pathOf(first));
  for (const first of plan.hopeless) await row.quarantine.take(row.pathOf(first));
  await finishSwap(row);
  for (const [first, damage] of plan.damaged) await salvage(row, first, damage);
  await row.removeSettled();
}

async function segmentsIn(directory: string): Promise<number[]> {
  const names = await namesIn(directory);
  return names.map(Number).filter((first) => names.includes(segmentName(first)));
}

/** What the catalog should be, given what is on the disk. */
class Plan {
  readonly #row: Row;
  readonly #found: number[];
  /** True when all bookkeeping was lost and the segments alone tell what there is. */
  readonly #blind: boolean;
  catalog: Catalog;
  tail: Tail;
  /** Directories that nothing needs any more. */
  stale: number[] = [];
  /** Directories with damage that has left nothing. */
  hopeless: number[] = [];
  damaged = new Map<number, Damage>();

  constructor(row: Row, known: Catalog | undefined, found: number[], clock: Clock) {
    this.#row = row;
    this.#found = found;
    this.#blind = known === undefined && found.length > 0;
    // Without the ledger, ids go on where no earlier one can have been.
    const nextDropId = this.#blind ? BigInt(clock.now()) : 1n;
    const books = { ...emptyBooks(), nextDropId };
    this.catalog = known ?? { books, spans: new Map(), drops: new Map() };
    this.tail = emptyTail(this.catalog.books.head);
    if (this.#blind) {
      row.log.warn(
        { segments: found.length },
        "The queue's bookkeeping is lost; its segments are read through.",
      );
    }
  }

  async lookAtSegments(mark: Mark | undefined): Promise<void> {
    for (const first of [...this.catalog.spans.keys()]) {
      if (!this.#found.includes(first)) this.#countMissing(first);
    }
    for (const [index, first] of this.#found.entries()) {
      const next = this.#found[index + 1];
      const known = this.catalog.spans.has(first);
      if (known) continue;
      const settled = next !== undefined && next <= this.#books.head.sequence;
      if (settled && !this.#blind) this.stale.push(first);
      else await this.#adopt(first, next, mark);
    }
    this.#closeGaps(mark);
  }

  get #books(): Books {
    return this.catalog.books;
  }

  #set(span: Span, change: { books?: Books; lost?: number } = {}): void {
    const { books = this.#books, lost = 0 } = change;
    const { startTime, endTime } = span;
    const drop = { startTime, endTime, points: lost, reason: "damage" as const };
    const addDrop = lost > 0 ? drop : undefined;
    this.catalog = changed(this.catalog, { books, addSpan: span, addDrop }, this.#row.sizes.drops);
  }

  /** A segment whose directory is gone; all that was left in it is lost. */
  #countMissing(first: number): void {
    const span = this.catalog.spans.get(first);
    if (!span || span.missing) return;
    const from = later(span.first, this.#books.head);
    const lost = Math.max(0, span.end.points - from.points - span.lost);
    this.#row.log.warn({ segment: first, lostPoints: lost }, "A segment of the queue is missing.");
    const missing = { ...span, missing: true, lost: span.lost + lost, diskBytes: 0 };
    this.#set(missing, { books: withLoss(this.#books, lost), lost });
  }

  /** A segment that the catalog does not know: the tail, or one whose span was lost. */
  async #adopt(first: number, next: number | undefined, mark: Mark | undefined): Promise<void> {
    const isTail = next === undefined;
    const marked = isTail && mark?.first.sequence === first ? mark : undefined;
    const last = isTail ? undefined : next - 1;
    const seen = await survey(this.#row, first, {
      last,
      end: marked?.end.sequence,
      keepOpen: isTail,
    });
    if (!seen.from && !marked) {
      await seen.segment?.close();
      if (seen.damage) this.hopeless.push(first);
      else this.stale.push(first); // made and never written to
      return;
    }
    const from = seen.from ?? marked?.first ?? this.#books.head;
    const end = later(seen.end ?? from, marked?.end ?? from);
    if (this.#blind && this.catalog.spans.size === 0) {
      this.catalog.books = { ...this.#books, head: from, acknowledged: from.points };
    }
    const short = seen.end?.sequence !== end.sequence;
    const whole = from.sequence === first && !short && seen.lost === 0;
    if (seen.segment && whole && end.sequence >= this.#books.head.sequence) {
      const { startTime, endTime, bytes, segment } = seen;
      this.tail = { first: from, end, startTime, endTime, bytes, segment, broken: false };
      return;
    }
    await seen.segment?.close();
    if (end.sequence <= this.#books.head.sequence) {
      this.stale.push(first);
      return;
    }
    const { startTime, endTime } = marked ?? seen;
    const diskBytes = await sizeOf(this.#row.pathOf(first));
    const before = [this.#books.head, ...[...this.catalog.spans.values()].map(({ end }) => end)];
    const start = before.find(({ sequence }) => sequence === first) ?? { ...from, sequence: first };
    const span = {
      first: start,
      end,
      startTime,
      endTime,
      lost: seen.lost,
      missing: false,
      diskBytes,
    };
    this.#set(span, { books: this.#blind ? withLoss(this.#books, seen.lost) : this.#books });
    if (seen.damage || short) {
      this.damaged.set(first, seen.damage ?? new Damage(`segment ${first} is cut short`));
    }
  }

  /** What lies between two segments, or between the last one and what was durable, was there once. */
  #closeGaps(mark: Mark | undefined): void {
    let at = this.#books.head;
    let time = Number.POSITIVE_INFINITY;
    const fill = (to: Position, toTime: number) => {
      if (to.sequence <= at.sequence) return;
      const lost = to.points - at.points;
      this.#row.log.warn(
        { from: at.sequence, lostPoints: lost },
        "Records of the queue are missing.",
      );
      const [startTime, endTime] = [Math.min(time, toTime), toTime];
      this.#set(
        { first: at, end: to, startTime, endTime, lost, missing: true, diskBytes: 0 },
        { books: withLoss(this.#books, lost), lost },
      );
      at = to;
    };
    for (const span of [...this.catalog.spans.values()]) {
      fill(span.first, span.startTime);
      at = later(at, span.end);
      time = span.endTime;
    }
    if (this.tail.segment) fill(this.tail.first, this.tail.startTime);
    else {
      if (mark) fill(mark.end, mark.endTime);
      this.tail = emptyTail(at);
    }
  }
}

function later(a: Position, b: Position): Position {
  return b.sequence > a.sequence ? b : a;
}

function withLoss(books: Books, lost: number): Books {
  return { ...books, damaged: books.damaged + lost, lostAhead: books.lostAhead + lost };
}
