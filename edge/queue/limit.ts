import { passTo } from "./books.ts";
import type { Claims } from "./claims.ts";
import type { Row } from "./row.ts";
import { finishSwap } from "./salvage.ts";

/** Drops the oldest segments until the directory has room for the tail to fill up. */
export async function makeRoom(row: Row, claims: Claims): Promise<void> {
  const { limit, segment, reserve } = row.sizes;
  await finishSwap(row);
  for (;;) {
    const free = limit - (await row.measure());
    const wanted = segment - (row.tail.segment ? row.tail.bytes : 0) + reserve;
    if (free >= wanted || !(await dropOldest(row, claims))) return;
  }
}

/** Drops the oldest segment whole and counts it; false when only the tail is left. */
async function dropOldest(row: Row, claims: Claims): Promise<boolean> {
  const { meta, log } = row;
  const { held, claim } = meta.books;
  if (held && !claim) {
    const books = { ...meta.books, held: undefined, dropped: meta.books.dropped + held.points };
    const { points, startTime, endTime } = held;
    await meta.commit({ books, addDrop: { startTime, endTime, points, reason: "limit" } });
    await claims.forgetHeld();
    return true;
  }
  const [oldest] = row.spans;
  if (!oldest) return false;
  const inFlight = await claims.hold(oldest);
  const { first, end, endTime, lost, ...span } = row.spans[0] ?? oldest; // reading it may have shown damage
  const startTime = (inFlight ? claims.nextTime : claims.headTime) ?? span.startTime;
  const { head } = meta.books;
  const left = end.points - Math.max(head.points, first.points);
  const dropped = left - lost - (inFlight?.points ?? 0);
  const fate = inFlight ? { dropped, held: inFlight } : { dropped };
  const { books } = passTo(meta.books, end, lost, fate);
  await meta.commit({
    books,
    removeSpan: first.sequence,
    addDrop: dropped > 0 ? { startTime, endTime, points: dropped, reason: "limit" } : undefined,
  });
  log.warn({ points: dropped }, "The queue is full; its oldest points were dropped.");
  await row.remove(first.sequence);
  return true;
}
