import { crc32 } from "node:zlib";
import { type Books, bigintAsText } from "./books.ts";
import type { Position } from "./frame.ts";

/** A closed segment: what is in it, known without opening it. */
export interface Span {
  first: Position;
  end: Position;
  /** Unix milliseconds of the earliest and the latest point in it. */
  startTime: number;
  endTime: number;
  /** Points between the head and the end that are already counted as damaged. */
  lost: number;
  /** True when there is no directory any more and all of it is lost. */
  missing: boolean;
  diskBytes: number;
}

/** How far the open segment was durable when this was written, right after; it may lag, never lead. */
export interface Mark {
  first: Position;
  end: Position;
  startTime: number;
  endTime: number;
}

/** Points that will never arrive, to be told to the server. */
export interface Drop {
  /** Grows by one with each; after the loss of all bookkeeping it goes on much higher. */
  dropId: bigint;
  /** Unix milliseconds of the earliest and the latest point, as well as is known. */
  startTime: number;
  endTime: number;
  points: number;
  reason: "limit" | "damage" | "unreadable" | "unwritten";
}

/** Everything that the queue knows besides the records themselves. */
export interface Catalog {
  books: Books;
  /** Closed segments by the sequence of their first record, ascending. */
  spans: Map<number, Span>;
  drops: Map<bigint, Drop>;
}

/** A change that is made whole or not at all. */
export interface Change {
  books: Books;
  addSpan?: Span | undefined;
  removeSpan?: number | undefined;
  addDrop?: Omit<Drop, "dropId"> | undefined;
  forgetDropsThrough?: bigint | undefined;
}

/** The catalog after a change; the ledger never grows beyond `mostDrops`. */
export function changed(catalog: Catalog, change: Change, mostDrops: number): Catalog {
  const books = { ...change.books, version: catalog.books.version + 1 };
  let { spans, drops } = catalog;
  if (change.addSpan || change.removeSpan !== undefined) {
    const all = new Map(spans);
    if (change.removeSpan !== undefined) all.delete(change.removeSpan);
    if (change.addSpan) all.set(change.addSpan.first.sequence, change.addSpan);
    spans = new Map([...all].sort(([a], [b]) => a - b));
  }
  if (change.addDrop || change.forgetDropsThrough !== undefined) {
    drops = new Map(drops);
    for (const dropId of drops.keys()) {
      if (dropId <= (change.forgetDropsThrough ?? -1n)) drops.delete(dropId);
    }
    if (change.addDrop) {
      const dropId = books.nextDropId;
      books.nextDropId = dropId + 1n;
      drops.set(dropId, { dropId, ...change.addDrop });
    }
    if (drops.size > mostDrops) mergeOldest(drops);
  }
  return { books, spans, drops };
}

/** Makes one drop of the oldest two that share a reason, under the later one's id. */
function mergeOldest(drops: Map<bigint, Drop>): void {
  const seen = new Map<string, Drop>();
  for (const drop of drops.values()) {
    const older = seen.get(drop.reason);
    if (older) {
      drops.delete(older.dropId);
      drops.set(drop.dropId, {
        ...drop,
        startTime: Math.min(older.startTime, drop.startTime),
        endTime: Math.max(older.endTime, drop.endTime),
        points: older.points + drop.points,
      });
      return;
    }
    seen.set(drop.reason, drop);
  }
}

/** The entries that differ between two catalogs, by their keys in the meta database. */
export function* entries(catalog: Catalog, before?: Catalog): Generator<[string, unknown]> {
  yield ["books", catalog.books];
  if (catalog.spans !== before?.spans) {
    for (const [first, span] of catalog.spans) {
      if (before?.spans.get(first) !== span) yield [spanKey(first), span];
    }
    for (const first of before?.spans.keys() ?? []) {
      if (!catalog.spans.has(first)) yield [spanKey(first), undefined];
    }
  }
  if (catalog.drops !== before?.drops) {
    for (const [dropId, drop] of catalog.drops) {
      if (before?.drops.get(dropId) !== drop) yield [dropKey(dropId), drop];
    }
    for (const dropId of before?.drops.keys() ?? []) {
      if (!catalog.drops.has(dropId)) yield [dropKey(dropId), undefined];
    }
  }
}

const spanKey = (first: number) => `span/${first.toString().padStart(16, "0")}`;
const dropKey = (dropId: bigint) => `drop/${dropId.toString().padStart(20, "0")}`;

/** Reads entries back; what is neither books, span nor drop is left out. Undefined without books. */
export function catalogFrom(all: Iterable<[string, unknown]>): Catalog | undefined {
  let books: Books | undefined;
  const spans = new Map<number, Span>();
  const drops = new Map<bigint, Drop>();
  for (const [key, value] of all) {
    if (key === "books") {
      const stored = value as Books;
      books = { ...stored, nextDropId: BigInt(stored.nextDropId) };
    } else if (key.startsWith("span/")) {
      const span = value as Span;
      spans.set(span.first.sequence, span);
    } else if (key.startsWith("drop/")) {
      const drop = value as Drop;
      const dropId = BigInt(drop.dropId);
      drops.set(dropId, { ...drop, dropId });
    }
  }
  return books && { books, spans, drops };
}

/** JSON under a CRC32 that covers its key too, so that a value is never taken for another. */
export function seal(key: string, value: unknown): Buffer {
  const text = Buffer.from(JSON.stringify(value, bigintAsText));
  const bytes = Buffer.allocUnsafe(4 + text.length);
  bytes.writeUInt32LE(crc32(text, crc32(key)), 0);
  text.copy(bytes, 4);
  return bytes;
}

/** What was sealed, or undefined when it does not hold. */
export function unseal(key: string, bytes: Buffer): unknown {
  if (bytes.length < 4) return undefined;
  const text = bytes.subarray(4);
  if (crc32(text, crc32(key)) !== bytes.readUInt32LE(0)) return undefined;
  return JSON.parse(text.toString());
}
