import { QueryRangeRequest_Aggregation as Aggregation } from "../../gen/lumetry/v1/metric_query_service_pb.js";
import { type Cell, growth } from "../chunks/rollup.ts";
import type { Columns } from "./columns.ts";
import { quantileOf } from "./quantile.ts";
import { type Span, TooMuch } from "./rules.ts";

/** How points are combined in steps. */
export interface Step {
  ms: number;
  aggregation: Aggregation;
  /** For quantiles: from 0 to 1. */
  quantile: number;
}

const FIVE_MINUTES_MS = 300_000;
/** Values that one step may hold at once, where each is needed. */
const MOST_HELD = 1_000_000;

/** Over how long a silence a counter's growth is told. */
export const bridgeOf = (step: Step) => Math.max(FIVE_MINUTES_MS, step.ms);

export const isGrowth = ({ aggregation }: Step) =>
  aggregation === Aggregation.INCREASE || aggregation === Aggregation.RATE;

/** Combines the points of one series, told in order of time, as points or as cells. */
export interface Fold {
  point(ms: number, value: number): void;
  cell(cell: Cell): void;
  /** To be called after the last one. */
  end(): void;
}

/** Sums beyond float64 still have an average, so they are also kept in this part. */
const PART = 2 ** -64;

/**
 * Adds a value to `into` for each step that has points in the span: at its start, steps aligned to
 * 1970. Points before the span tell only what a counter stood at.
 */
export function foldSteps(step: Step, span: Span, into: Columns): Fold {
  const { aggregation } = step;
  const bridge = bridgeOf(step);
  let start = Number.NEGATIVE_INFINITY;
  let end = Number.NEGATIVE_INFINITY;
  let count = 0;
  let sum = 0;
  let part = 0;
  let minimum = 0;
  let maximum = 0;
  let increase = 0;
  let grownMs = 0;
  let pairs = 0;
  let last = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  let held: number[] = [];

  const result = (): number | undefined => {
    switch (aggregation) {
      case Aggregation.MINIMUM:
        return minimum;
      case Aggregation.MAXIMUM:
        return maximum;
      case Aggregation.SUM:
        return sum;
      case Aggregation.COUNT:
        return count;
      case Aggregation.LAST:
        return last;
      case Aggregation.INCREASE:
        return pairs > 0 && !Number.isNaN(increase) ? increase : undefined;
      case Aggregation.RATE:
        return grownMs > 0 && !Number.isNaN(increase) ? (increase / grownMs) * 1000 : undefined;
      case Aggregation.QUANTILE:
        return quantileOf(held, step.quantile);
      default:
        if (Number.isFinite(sum)) return sum / count;
        return Math.max(-Number.MAX_VALUE, Math.min(part / count / PART, Number.MAX_VALUE));
    }
  };

  const finish = () => {
    if (count === 0) return;
    const value = result();
    if (value !== undefined) into.add(start, value);
    count = 0;
  };

  /** Begins the step of a time, if it is another one than before. */
  const enter = (ms: number) => {
    if (ms < end) return;
    finish();
    start = Math.floor(ms / step.ms) * step.ms;
    end = start + step.ms;
    sum = 0;
    part = 0;
    minimum = Number.POSITIVE_INFINITY;
    maximum = Number.NEGATIVE_INFINITY;
    increase = 0;
    grownMs = 0;
    pairs = 0;
    held = [];
  };

  const grow = (ms: number, value: number) => {
    if (ms - lastMs > bridge) return;
    increase += growth(last, value);
    grownMs += ms - lastMs;
    pairs += 1;
  };

  return {
    point(ms, value) {
      if (ms >= span.startMs) {
        enter(ms);
        grow(ms, value);
        count += 1;
        sum += value;
        part += value * PART;
        if (value < minimum) minimum = value;
        if (value > maximum) maximum = value;
        if (aggregation === Aggregation.QUANTILE) {
          if (held.length === MOST_HELD) {
            throw new TooMuch("one step holds too many points; set a shorter step");
          }
          held.push(value);
        }
      }
      last = value;
      lastMs = ms;
    },

    cell(cell) {
      if (cell.startMs >= span.startMs) {
        enter(cell.startMs);
        grow(cell.firstMs, cell.first);
        increase += cell.increase;
        grownMs += cell.lastMs - cell.firstMs;
        pairs += cell.count - 1;
        count += cell.count;
        sum += cell.sum;
        part += cell.sum * PART;
        if (cell.minimum < minimum) minimum = cell.minimum;
        if (cell.maximum > maximum) maximum = cell.maximum;
      }
      last = cell.last;
      lastMs = cell.lastMs;
    },

    end: finish,
  };
}

/** The points themselves; of a cell, its average at its start. */
export function foldNothing(span: Span, into: Columns): Fold {
  return {
    point(ms, value) {
      if (ms >= span.startMs) into.add(ms, value);
    },
    cell({ startMs, sum, count }) {
      if (startMs >= span.startMs) into.add(startMs, sum / count);
    },
    end() {},
  };
}
