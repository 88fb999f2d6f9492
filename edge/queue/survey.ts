import { Damage, damageIn } from "./database.ts";
import type { Frame, Position } from "./frame.ts";
import { verifyFiles } from "./level-files.ts";
import type { Row } from "./row.ts";
import { intactFrames } from "./salvage.ts";
import { Segment } from "./segment.ts";

/** What a segment holds, found by reading it through. */
export interface Survey {
  /** Undefined when no frame holds. */
  from: Position | undefined;
  end: Position | undefined;
  startTime: number;
  endTime: number;
  /** Points that holes in it stand for. */
  lost: number;
  /** Frames in it, before compression. */
  bytes: number;
  damage: Damage | undefined;
  /** Left open when that was asked for and the segment is sound. */
  segment: Segment | undefined;
}

export interface SurveyOptions {
  /** The last sequence that can be there, when that is known. */
  last?: number | undefined;
  /** The sequence that must come after the last, for a tail. */
  end?: number | undefined;
  keepOpen: boolean;
}

/** Reads a segment through. Damage is reported, not thrown. */
export async function survey(
  row: Pick<Row, "segments" | "sizes" | "pathOf">,
  first: number,
  { last, end, keepOpen }: SurveyOptions,
): Promise<Survey> {
  const directory = row.pathOf(first);
  const most = last ?? Number.MAX_SAFE_INTEGER - 1;
  let segment: Segment | undefined;
  try {
    const torn = await verifyFiles(directory);
    // LevelDB would delete a log that is cut short, and with it what can be salvaged from it.
    if (torn && end !== undefined && !(await reaches(directory, first, end))) {
      throw new Damage(`segment ${first}: its log is cut short`);
    }
    const seen = nothingSeen();
    segment = await Segment.openVerified(row.segments, first, row.sizes.segmentBuffer);
    for await (const frame of segment.frames(undefined, last)) see(seen, frame);
    if (keepOpen) return { ...seen, segment };
    await segment.close();
    return seen;
  } catch (error) {
    await segment?.close();
    const damage = damageIn(error);
    if (!damage) throw error;
    const seen = { ...nothingSeen(), damage };
    for (const frame of await intactFrames(directory, first, most)) see(seen, frame);
    return seen;
  }
}

async function reaches(directory: string, first: number, end: number): Promise<boolean> {
  const frames = await intactFrames(directory, first, Number.MAX_SAFE_INTEGER - 1);
  return (frames.at(-1)?.end.sequence ?? first) >= end;
}

function nothingSeen(): Survey {
  return {
    from: undefined,
    end: undefined,
    startTime: Number.POSITIVE_INFINITY,
    endTime: Number.NEGATIVE_INFINITY,
    lost: 0,
    bytes: 0,
    damage: undefined,
    segment: undefined,
  };
}

function see(seen: Survey, frame: Frame): void {
  seen.from ??= frame.start;
  seen.end = frame.end;
  seen.startTime = Math.min(seen.startTime, frame.startTime);
  seen.endTime = Math.max(seen.endTime, frame.endTime);
  seen.bytes += frame.payload.length;
  if (frame.kind === "hole") seen.lost += frame.end.points - frame.start.points;
}
