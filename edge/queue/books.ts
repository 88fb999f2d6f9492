import { randomBytes } from "node:crypto";
import type { Position } from "./frame.ts";

/** A row of records that were handed out under one batch id and not settled since. */
export interface Claim {
  batchId: string;
  first: number;
  /** The position after its last record. */
  end: Position;
  points: number;
  bytes: number;
}

/** Records that left the row of segments because theirs had to be dropped while they were in flight. */
export interface Held {
  first: number;
  last: number;
  points: number;
  bytes: number;
  /** Unix milliseconds of the earliest and the latest point. */
  startTime: number;
  endTime: number;
}

/**
 * The queue's counters and its head, always written together. Counters are points since the
 * directory was made; their equation holds at every commit:
 *
 *     points before the head
 *       = acknowledged + dropped + unreadable + (damaged - lostAhead) + held
 *
 * so with `queued = appended - points before the head - lostAhead + held`:
 *
 *     appended = acknowledged + dropped + unreadable + damaged + queued
 */
export interface Books {
  /** Random, made with the books: what the counters and the ids of drops belong to. */
  queueId: string;
  /** Grows with every commit. */
  version: number;
  /** The first record that is neither settled nor held. */
  head: Position;
  /** Refused ones included. */
  acknowledged: number;
  refused: number;
  dropped: number;
  damaged: number;
  unreadable: number;
  /** Points that never came into the queue, or were lost with one before it; not in the equation. */
  outside: number;
  /** Points behind the head that are already counted as damaged. */
  lostAhead: number;
  held: Held | undefined;
  claim: Claim | undefined;
  /** Sequences with which a batch must end, because a longer one was split there. */
  cuts: number[];
  nextDropId: bigint;
  /** The segment whose salvaged copy is complete and takes its place. */
  swap: number | undefined;
}

export function emptyBooks(): Books {
  return {
    queueId: randomBytes(12).toString("base64url"),
    version: 0,
    head: { sequence: 1, points: 0, bytes: 0 },
    acknowledged: 0,
    refused: 0,
    dropped: 0,
    damaged: 0,
    unreadable: 0,
    outside: 0,
    lostAhead: 0,
    held: undefined,
    claim: undefined,
    cuts: [],
    nextDropId: 1n,
    swap: undefined,
  };
}

/** Throws when points have come from nowhere or gone without being counted. */
export function assertBalanced(books: Books): void {
  const { head, acknowledged, dropped, unreadable, damaged, lostAhead, held } = books;
  const settled = acknowledged + dropped + unreadable + (damaged - lostAhead);
  const counts = [acknowledged, dropped, unreadable, damaged, lostAhead];
  counts.push(books.refused, books.outside);
  const sane = counts.every((count) => Number.isSafeInteger(count) && count >= 0);
  if (!sane || head.points !== settled + (held?.points ?? 0) || lostAhead > damaged) {
    throw new Error(`The queue's books do not balance: ${JSON.stringify(books, bigintAsText)}`);
  }
}

export function queuedPoints(books: Books, appended: Position): number {
  return appended.points - books.head.points - books.lostAhead + (books.held?.points ?? 0);
}

/** What became of the records between the head and where it moves to; the rest of them was lost to damage. */
export interface Fate {
  acknowledged?: number;
  refused?: number;
  dropped?: number;
  unreadable?: number;
  held?: Held;
}

export interface Passed {
  books: Books;
  /** How many of the points passed had been counted as damaged before. */
  lost: number;
}

/** Moves the head within or to the end of a span of which `countedLost` points are counted as damaged. */
export function passTo(books: Books, to: Position, countedLost: number, fate: Fate): Passed {
  const { acknowledged = 0, refused = 0, dropped = 0, unreadable = 0, held } = fate;
  const known = acknowledged + dropped + unreadable + (held?.points ?? 0);
  const gone = to.points - books.head.points - known;
  const lost = Math.min(gone, countedLost);
  const passed = {
    ...books,
    head: to,
    acknowledged: books.acknowledged + acknowledged,
    refused: books.refused + refused,
    dropped: books.dropped + dropped,
    unreadable: books.unreadable + unreadable,
    damaged: books.damaged + gone - lost,
    lostAhead: books.lostAhead - lost,
    held: held ?? books.held,
    cuts: books.cuts.filter((cut) => cut >= (held?.first ?? to.sequence)),
  };
  return { books: passed, lost };
}

/** Settles a claim on records that are held, and clears it. */
export function settleHeld(books: Books, held: Held, claim: Claim, fate: Fate): Books {
  const left = held.points - claim.points;
  const first = claim.end.sequence;
  return {
    ...books,
    acknowledged: books.acknowledged + (fate.acknowledged ?? 0),
    refused: books.refused + (fate.refused ?? 0),
    unreadable: books.unreadable + (fate.unreadable ?? 0),
    claim: undefined,
    held: left > 0 ? { ...held, first, points: left, bytes: held.bytes - claim.bytes } : undefined,
    cuts: books.cuts.filter((cut) => cut >= first),
  };
}

export function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
