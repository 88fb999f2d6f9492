import { type Claim, passTo } from "./books.ts";
import type { Span } from "./catalog.ts";
import { damageIn } from "./database.ts";
import type { Frame } from "./frame.ts";
import type { Row } from "./row.ts";
import { salvage } from "./salvage.ts";

export interface BatchLimits {
  maxPoints: number;
  /** Of payloads; a single larger record still makes a batch. */
  maxBytes: number;
}

/** Some records in order, and the earliest point of the record after them where it is known. */
export interface Cut {
  frames: Frame[];
  nextTime?: number;
}

/**
 * The records at the head that go into one batch; none when the queue is empty. Never across two
 * segments or a hole. Damage on the way is repaired, and holes are passed.
 */
export async function cutRow(row: Row, limits: BatchLimits): Promise<Cut> {
  for (;;) {
    const place = await row.locate();
    if (!place) return { frames: [] };
    const { span } = place;
    const cut: Cut = { frames: [] };
    const { books } = row.meta;
    let { head } = books;
    if (span.missing) head = span.end;
    else {
      try {
        const segment = await place.open();
        for await (const frame of segment.frames(head, span.end.sequence - 1)) {
          if (frame.kind === "record") {
            if (!take(cut, frame, limits, books.cuts)) break;
          } else if (cut.frames.length === 0) head = frame.end;
          else break;
        }
      } catch (error) {
        if (cut.frames.length === 0 || !damageIn(error)) {
          await mend(row, span, error);
          continue;
        }
        // What came before the damage is sound; the damage is met again when it is the oldest.
      }
    }
    if (head !== books.head) await skip(row, span, head);
    if (cut.frames.length > 0) return cut;
  }
}

/** The records of a claim that are still there. */
export async function readRow(row: Row, claim: Claim): Promise<Frame[]> {
  for (;;) {
    const place = await row.locate();
    if (!place || place.span.missing) return [];
    try {
      const frames: Frame[] = [];
      const segment = await place.open();
      const last = Math.min(claim.end.sequence, place.span.end.sequence) - 1;
      for await (const frame of segment.frames(row.meta.books.head, last)) {
        if (frame.kind === "record") frames.push(frame);
      }
      return frames;
    } catch (error) {
      await mend(row, place.span, error);
    }
  }
}

/** Adds a frame to a cut; false when the cut is complete without it. */
export function take(cut: Cut, frame: Frame, limits: BatchLimits, cuts: number[]): boolean {
  const [first] = cut.frames;
  const last = cut.frames.at(-1);
  if (first && last) {
    const points = frame.end.points - first.start.points;
    const bytes = frame.end.bytes - first.start.bytes;
    const fits = points <= limits.maxPoints && bytes <= limits.maxBytes;
    const ended = cuts.includes(last.start.sequence);
    if (!fits || ended || frame.clockOffsetMs !== first.clockOffsetMs) {
      cut.nextTime = frame.startTime;
      return false;
    }
  }
  cut.frames.push(frame);
  return true;
}

export function sums(frames: Frame[]): { points: number; bytes: number } {
  let points = 0;
  let bytes = 0;
  for (const frame of frames) {
    points += frame.points;
    bytes += frame.payload.length;
  }
  return { points, bytes };
}

/** From the earliest point to the latest. */
export function timesOf(frames: Frame[]): { startTime: number; endTime: number } {
  return {
    startTime: Math.min(...frames.map((frame) => frame.startTime)),
    endTime: Math.max(...frames.map((frame) => frame.endTime)),
  };
}

/** Moves the head over what is lost. */
async function skip(row: Row, span: Span, to: Frame["end"]): Promise<void> {
  const { books, lost } = passTo(row.meta.books, to, span.lost, {});
  const addSpan = lost > 0 ? { ...span, lost: span.lost - lost } : undefined;
  await row.meta.commit({ books, addSpan });
  await row.removeSettled();
}

async function mend(row: Row, span: Span, error: unknown): Promise<void> {
  const damage = damageIn(error);
  if (!damage) throw error;
  await salvage(row, span.first.sequence, damage);
}
