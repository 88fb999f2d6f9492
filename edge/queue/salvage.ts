import { rename } from "node:fs/promises";
import path from "node:path";
import type { Damage } from "./database.ts";
import { exists, removeTree, sizeOf, syncDirectory } from "./disk.ts";
import {
  encodeHole,
  encodeRecord,
  type Frame,
  frameBytes,
  type Position,
  scanFrames,
} from "./frame.ts";
import { stretches } from "./level-files.ts";
import type { Row } from "./row.ts";
import { Segment, segmentName } from "./segment.ts";

/**
 * Replaces a damaged segment by one that holds every intact record and, where records are gone,
 * holes that say how many points they had. The loss is counted and entered in the ledger; the
 * damaged files go to the quarantine.
 */
export async function salvage(row: Row, first: number, why: Damage): Promise<void> {
  const { meta, quarantine } = row;
  if (first >= row.tail.first.sequence) await row.closeTail();
  await row.stopReading();
  const span = meta.catalog.spans.get(first);
  if (!span) return; // it was the tail and everything in it is settled
  const { head } = meta.books;
  const from = head.sequence > span.first.sequence ? head : span.first;
  const intact = await intactFrames(row.pathOf(first), from.sequence, span.end.sequence - 1);
  const { frames, holes } = withHoles(intact, from, span.end, span);
  const lost = holes.reduce((sum, hole) => sum + hole.end.points - hole.start.points, 0);
  row.log.warn(
    { err: why, segment: first, records: intact.length, lostPoints: lost },
    "A segment of the queue is damaged; what is intact in it is saved.",
  );
  await quarantine.makeRoom(span.diskBytes);
  await writeCopy(row, first, frames);
  const diskBytes = await sizeOf(copyOf(row, first));
  const { books } = meta;
  await meta.commit({
    books: {
      ...books,
      damaged: books.damaged + lost,
      lostAhead: books.lostAhead + lost,
      swap: first,
    },
    addSpan: { ...span, lost: span.lost + lost, missing: false, diskBytes },
    addDrop:
      lost > 0
        ? {
            startTime: Math.min(...holes.map((hole) => hole.startTime)),
            endTime: Math.max(...holes.map((hole) => hole.endTime)),
            points: lost,
            reason: "damage",
          }
        : undefined,
  });
  await finishSwap(row);
}

/** Puts a salvaged copy in the place of the damaged segment, also when a crash came in between. */
export async function finishSwap(row: Row): Promise<void> {
  const { meta, quarantine } = row;
  const { swap } = meta.books;
  if (swap === undefined) return;
  await meta.checkpoint();
  await swapFiles(row, swap);
  await meta.commit({ books: { ...meta.books, swap: undefined } });
  await meta.checkpoint(); // or a later salvage of the same segment could be taken for complete
  await quarantine.makeRoom(0);
}

/** The part of the swap that is done with files alone. */
export async function swapFiles(
  row: Pick<Row, "directory" | "segments" | "quarantine">,
  first: number,
): Promise<void> {
  const copy = copyOf(row, first);
  if (!(await exists(copy))) return;
  const original = path.join(row.segments, segmentName(first));
  await row.quarantine.take(original);
  await rename(copy, original);
  await syncDirectory(row.segments);
}

function copyOf(row: Pick<Row, "directory">, first: number): string {
  return path.join(row.directory, "salvage", segmentName(first));
}

/** All frames that hold from one sequence to another, ascending, wherever in the files they are. */
export async function intactFrames(
  directory: string,
  first: number,
  last: number,
): Promise<Frame[]> {
  const found = new Map<number, Frame>();
  for await (const stretch of stretches(directory)) {
    for (const frame of scanFrames(stretch)) found.set(frame.start.sequence, frame);
  }
  const ascending = [...found.values()].sort((a, b) => a.start.sequence - b.start.sequence);
  let next: Position = { sequence: first, points: 0, bytes: 0 };
  return ascending.filter(({ start, end }) => {
    const fits =
      start.sequence >= next.sequence && start.points >= next.points && end.sequence <= last + 1;
    if (fits) next = end;
    return fits;
  });
}

function withHoles(
  intact: Frame[],
  from: Position,
  end: Position,
  times: { startTime: number; endTime: number },
): { frames: Frame[]; holes: Frame[] } {
  const frames: Frame[] = [];
  const holes: Frame[] = [];
  let before = { end: from, endTime: times.startTime };
  const fill = (to: Position, toTime: number) => {
    if (to.sequence <= before.end.sequence) return;
    const hole: Frame = {
      kind: "hole",
      start: before.end,
      end: to,
      payload: new Uint8Array(),
      points: 0,
      startTime: Math.min(before.endTime, toTime),
      endTime: Math.max(before.endTime, toTime),
      clockOffsetMs: undefined,
    };
    frames.push(hole);
    holes.push(hole);
  };
  for (const frame of intact) {
    fill(frame.start, frame.startTime);
    frames.push(frame);
    before = frame;
  }
  fill(end, times.endTime);
  return { frames, holes };
}

async function writeCopy(row: Row, first: number, frames: Frame[]): Promise<void> {
  const parent = path.join(row.directory, "salvage");
  await removeTree(parent);
  const copy = await Segment.create(parent, first, row.sizes.segmentBuffer);
  try {
    let group: { start: Position; bytes: Buffer }[] = [];
    let size = 0;
    for (const frame of frames) {
      const { start } = frame;
      const bytes =
        frame.kind === "hole"
          ? encodeHole(start, frame.end, frame.startTime, frame.endTime)
          : encodeRecord(start, frame);
      group.push({ start, bytes });
      size += frameBytes(frame);
      if (size < row.sizes.group) continue;
      await copy.append(group);
      group = [];
      size = 0;
    }
    await copy.append(group);
    await copy.flush();
  } finally {
    await copy.close();
  }
  await syncDirectory(parent);
}
