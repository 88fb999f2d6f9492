import { type Piece, readBlock } from "../chunks/block-format.ts";
import { gather } from "../chunks/gather.ts";
import { cutByWindow } from "../chunks/merge.ts";
import { type Cell, type Rollup, seriesOfPacked, unpackCells } from "../chunks/rollup.ts";
import { bucketOf, WINDOW_MS, windowOf } from "../chunks/windows.ts";
import type { Budget } from "./budget.ts";
import { type Kept, rollupsOver } from "./kept.ts";
import type { Span } from "./rules.ts";
import { type PlaceKey, type PointsView, placeKey, type Search, searchFor } from "./view.ts";

/** What is known of a series in a day: its points, or what they were rolled up to. */
export type Stretch =
  | { windowStart: number; piece: Piece }
  | { windowStart: number; cells: readonly Cell[] };

export interface Stretches {
  /** By series, in order of time. */
  series: Map<number, Stretch[]>;
  /** Length of the longest steps among them; 0 when all are points. */
  resolutionMs: number;
}

export interface StretchQuery {
  seriesIds: ReadonlySet<number>;
  span: Span;
  /** Where the answer begins: what the span holds before is the lead of a counter. In ms since 1970. */
  answerFrom: number;
  /** What may be read in place of points, where it tells all that has come. */
  rollup: Rollup | undefined;
  kept: Kept;
  mostPoints: number;
  budget: Budget;
}

/** Reads some series in a span. Undefined when there are more points than may be held. */
export async function readStretches(
  view: PointsView,
  query: StretchQuery,
): Promise<Stretches | undefined> {
  const { seriesIds, span, kept, mostPoints, budget } = query;
  if (seriesIds.size === 0) return { series: new Map(), resolutionMs: 0 };
  const wants = (seriesId: number) => seriesIds.has(seriesId);
  const unread = gather({ wants, span });
  for await (const body of view.unread(span, budget)) {
    unread.addSegment(body);
    if (unread.points > mostPoints) return undefined;
  }
  const late = unread.pieces().flatMap(cutByWindow);
  const search = searchFor(seriesIds, span);
  const plan = await makePlan(view, query, search, late);

  const points = gather({ wants, span });
  for (const windows of plan.ofPoints) {
    for await (const block of view.chunks({ ...search, windows }, span, budget)) {
      if (plan.isRolledUp(block.window_start, block.bucket)) continue;
      for (const piece of readBlock(block.body, wants)) points.add(piece);
      if (points.points > mostPoints) return undefined;
    }
  }
  // What comes last arrived last.
  for (const { windowStart, piece } of late) {
    if (!plan.isRolledUp(windowStart, bucketOf(piece.seriesId))) points.add(piece);
  }
  if (points.points > mostPoints) return undefined;

  const series = new Map<number, Stretch[]>();
  const add = (seriesId: number, stretch: Stretch) => {
    const own = series.get(seriesId);
    if (own) own.push(stretch);
    else series.set(seriesId, [stretch]);
  };
  for (const piece of points.pieces()) {
    for (const cut of cutByWindow(piece)) add(piece.seriesId, cut);
  }
  let resolutionMs = 0;
  for (const { rollup, windows } of rollupsOver(search.windows, kept, query.rollup)) {
    for await (const block of view.rollups(rollup.table, { ...search, windows }, budget)) {
      const windowStart = block.window_start;
      if (!plan.isRolledUp(windowStart, block.bucket)) continue;
      const packed = readBlock(block.body, (id) => wants(seriesOfPacked(id)));
      for (const { seriesId, cells } of unpackCells(packed)) {
        const inSpan = cells.filter(
          ({ startMs }) => startMs >= span.startMs && startMs < span.endMs,
        );
        if (inSpan.length === 0) continue;
        add(seriesId, { windowStart, cells: inSpan });
        resolutionMs = Math.max(resolutionMs, rollup.resolutionMs);
      }
    }
  }
  for (const stretches of series.values()) {
    stretches.sort((a, b) => a.windowStart - b.windowStart);
  }
  return { series, resolutionMs };
}

interface Plan {
  /** The days of which some points are to be read. */
  ofPoints: Span[];
  isRolledUp(windowStart: number, bucket: number): boolean;
}

/**
 * Points are read where no roll-up will do: in days that are not all in the span, or in which the
 * answer begins, and at places where something came since the roll-up was made.
 */
async function makePlan(
  view: PointsView,
  { span, answerFrom, kept, rollup }: StretchQuery,
  search: Search,
  late: readonly { windowStart: number; piece: Piece }[],
): Promise<Plan> {
  const windows = { ...search.windows, startMs: Math.max(search.windows.startMs, kept.pointsFrom) };
  if (!rollup) {
    return {
      ofPoints: windows.startMs < windows.endMs ? [windows] : [],
      isRolledUp: (windowStart) => windowStart < kept.pointsFrom,
    };
  }
  const places: Set<PlaceKey> = await view.freshPlaces({ ...search, windows });
  for (const { windowStart, piece } of late) {
    places.add(placeKey(windowStart, bucketOf(piece.seriesId)));
  }
  const isWhole = (windowStart: number) =>
    windowStart >= span.startMs &&
    windowStart + WINDOW_MS <= span.endMs &&
    (windowStart >= answerFrom || windowStart + WINDOW_MS <= answerFrom);
  const days = new Set(
    [span.startMs, answerFrom, span.endMs - 1].map(windowOf).filter((day) => !isWhole(day)),
  );
  for (const place of places) days.add(Number(place.split(" ")[0]));
  return {
    ofPoints: runsOf([...days].filter((day) => day >= kept.pointsFrom)),
    isRolledUp: (windowStart, bucket) =>
      windowStart < kept.pointsFrom ||
      (isWhole(windowStart) && !places.has(placeKey(windowStart, bucket))),
  };
}

/** Days as spans, those side by side as one. */
function runsOf(days: number[]): Span[] {
  const runs: Span[] = [];
  for (const day of days.sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && last.endMs === day) last.endMs = day + WINDOW_MS;
    else runs.push({ startMs: day, endMs: day + WINDOW_MS });
  }
  return runs;
}
