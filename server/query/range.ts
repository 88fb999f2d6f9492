import { QueryRangeRequest_Aggregation as Aggregation } from "../../gen/lumetry/v1/metric_query_service_pb.js";
import { ROLLUPS, type Rollup } from "../chunks/rollup.ts";
import { WINDOW_MS, windowOf } from "../chunks/windows.ts";
import type { Budget } from "./budget.ts";
import { type Columns, makeColumns } from "./columns.ts";
import type { Kept } from "./kept.ts";
import { InvalidQuery, type Span, TooMuch } from "./rules.ts";
import { bridgeOf, type Fold, foldNothing, foldSteps, isGrowth, type Step } from "./steps.ts";
import { readStretches, type Stretch } from "./stretches.ts";
import type { PointsView } from "./view.ts";

/** Most points held before duplicates are gone and steps are combined. */
const MOST_GATHERED = 2_000_000;

export interface RangeLimits {
  series: number;
  points: number;
  gathered?: number;
}

export interface RangeQuery {
  seriesIds: ReadonlySet<number>;
  span: Span;
  /** Raw points when undefined. */
  step: Step | undefined;
  /** Its points go up and down: roll-ups do not tell how it grew. */
  isGauge: boolean;
  /** What is still kept of which time, in ms since 1970. */
  kept: Kept;
}

/** Values of series by id, in order of time. */
export interface Answer {
  series: Map<number, Columns>;
  /** Length of the longest steps that were read in place of points; 0 when none were. */
  resolutionMs: number;
}

/**
 * Reads what is stored of some series, and combines it in steps. A span that holds more than fits is
 * read in parts, one after the other.
 */
export async function readRange(
  view: PointsView,
  query: RangeQuery,
  limits: RangeLimits,
  budget: Budget,
): Promise<Answer> {
  const { span, step } = query;
  checkKept(query);
  const answer: Answer = { series: new Map(), resolutionMs: 0 };
  const folds = new Map<number, Fold>();
  let points = 0;

  const fold = (seriesId: number, stretches: readonly Stretch[]) => {
    const into = answer.series.get(seriesId) ?? makeColumns(roomFor(stretches, query));
    answer.series.set(seriesId, into);
    points -= into.count;
    const own =
      folds.get(seriesId) ?? (step ? foldSteps(step, span, into) : foldNothing(span, into));
    folds.set(seriesId, own);
    for (const stretch of stretches) tell(own, stretch);
    points += into.count;
  };

  const parts = [withLead(query)];
  for (let part = parts.pop(); part; part = parts.pop()) {
    const read = await readStretches(view, {
      ...query,
      span: part,
      answerFrom: span.startMs,
      rollup: rollupFor(query),
      mostPoints: limits.gathered ?? MOST_GATHERED,
      budget,
    });
    if (!read) {
      const [earlier, later] = halve(part);
      parts.push(later, earlier);
      continue;
    }
    answer.resolutionMs = Math.max(answer.resolutionMs, read.resolutionMs);
    for (const [seriesId, stretches] of read.series) fold(seriesId, stretches);
    checkLimits(answer, points, limits);
  }
  for (const own of folds.values()) own.end();
  for (const [seriesId, { count }] of answer.series) {
    if (count === 0) answer.series.delete(seriesId);
  }
  points = [...answer.series.values()].reduce((sum, { count }) => sum + count, 0);
  checkLimits(answer, points, limits);
  return answer;
}

/** How many values there are at most. */
function roomFor(stretches: readonly Stretch[], { span, step }: RangeQuery): number {
  let told = 0;
  for (const stretch of stretches) {
    told += "cells" in stretch ? stretch.cells.length : stretch.piece.times.length;
  }
  return step ? Math.min(told, Math.ceil((span.endMs - span.startMs) / step.ms) + 1) : told;
}

function tell(fold: Fold, stretch: Stretch): void {
  if ("cells" in stretch) for (const cell of stretch.cells) fold.cell(cell);
  else {
    const { times, values } = stretch.piece;
    for (let at = 0; at < times.length; at += 1) {
      fold.point(times[at] as number, values[at] as number);
    }
  }
}

function checkLimits({ series }: Answer, points: number, limits: RangeLimits): void {
  if (series.size > limits.series) {
    throw new TooMuch(
      `more than ${limits.series} series have points there; narrow the span or the labels`,
    );
  }
  if (points > limits.points) {
    throw new TooMuch(
      `there are more than ${limits.points} points; narrow the span or the labels, or set a longer step`,
    );
  }
}

function checkKept({ span, step, kept }: RangeQuery): void {
  if (step?.aggregation === Aggregation.QUANTILE && span.startMs < kept.pointsFrom) {
    throw new InvalidQuery(
      `a quantile needs the points themselves, and those from before ${new Date(kept.pointsFrom).toISOString()} are no longer kept; set a later start_time, or ask for the average, minimum or maximum`,
    );
  }
}

/** The span, and before it what tells where a counter stood. */
function withLead({ span, step }: RangeQuery): Span {
  if (!step || !isGrowth(step)) return span;
  return { startMs: span.startMs - bridgeOf(step), endMs: span.endMs };
}

/** The longest roll-up that gives the same answer as the points. */
function rollupFor({ step, isGauge }: RangeQuery): Rollup | undefined {
  if (!step || step.aggregation === Aggregation.QUANTILE) return undefined;
  if (isGauge && isGrowth(step)) return undefined;
  return ROLLUPS.find(({ resolutionMs }) => step.ms % resolutionMs === 0);
}

/** Two parts, that meet where a day begins if there are several. */
function halve({ startMs, endMs }: Span): [Span, Span] {
  let cut = Math.floor((startMs + endMs) / 2);
  const day = windowOf(cut) + WINDOW_MS;
  if (day < endMs) cut = day;
  if (cut <= startMs) throw new TooMuch("one moment holds too many points; narrow the labels");
  return [
    { startMs, endMs: cut },
    { startMs: cut, endMs },
  ];
}
