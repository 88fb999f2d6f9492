import type { Piece } from "./block-format.ts";
import { toDecimals } from "./numbers.ts";

export const FIVE_MINUTES_MS = 300_000;
export const HOUR_MS = 3_600_000;
/** What days that are over are also kept in, the coarsest first. */
export const ROLLUPS = [
  { table: "rollups_1h", resolutionMs: HOUR_MS },
  { table: "rollups_5m", resolutionMs: FIVE_MINUTES_MS },
] as const;
export type Rollup = (typeof ROLLUPS)[number];

/**
 * What is kept of the points of one series in one step. From such cells every answer that needs no
 * single value follows as it does from the points.
 */
export interface Cell {
  /** Where the step begins, in ms since 1970. */
  startMs: number;
  count: number;
  sum: number;
  minimum: number;
  maximum: number;
  first: number;
  last: number;
  firstMs: number;
  lastMs: number;
  /** By how much a counter has grown from each point to the next one of the cell. */
  increase: number;
}

/** By how much a counter has grown: one that shrank has begun again from zero. */
export const growth = (before: number, value: number) => (value >= before ? value - before : value);

/** The cells of a piece, in order of time. */
export function cellsOf({ times, values }: Piece, resolutionMs: number): Cell[] {
  const cells: Cell[] = [];
  // Sums of decimals are decimals: added up as whole numbers, they stay short.
  const decimals = toDecimals(values);
  const numbers = decimals?.whole ?? values;
  const divisor = decimals ? 10 ** decimals.digits : 1;
  for (let from = 0; from < times.length; ) {
    const startMs = Math.floor((times[from] as number) / resolutionMs) * resolutionMs;
    let [sum, increase] = [0, 0];
    let [minimum, maximum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    let at = from;
    for (; at < times.length && (times[at] as number) < startMs + resolutionMs; at += 1) {
      const number = numbers[at] as number;
      sum += number;
      if (at > from) increase += growth(numbers[at - 1] as number, number);
      const value = values[at] as number;
      if (value < minimum) minimum = value;
      if (value > maximum) maximum = value;
    }
    cells.push({
      startMs,
      count: at - from,
      sum: sum / divisor,
      minimum,
      maximum,
      first: values[from] as number,
      last: values[at - 1] as number,
      firstMs: times[from] as number,
      lastMs: times[at - 1] as number,
      increase: increase / divisor,
    });
    from = at;
  }
  return cells;
}

/** The columns that cells are stored in: each is packed as if it were a series. */
const COLUMNS = 9;
const INCREASE = 8;

const columnsOf = (cell: Cell): number[] => [
  cell.count,
  cell.sum,
  cell.minimum,
  cell.maximum,
  cell.first,
  cell.last,
  cell.firstMs - cell.startMs,
  cell.lastMs - cell.firstMs,
  // What is left of it is zero for a counter that never began again.
  cell.increase - (cell.last - cell.first),
];

/**
 * The pieces that cells are packed as. A gauge's increase means nothing and would cost as much as
 * its values: it is left out.
 */
export function packCells(seriesId: number, cells: readonly Cell[], isGauge: boolean): Piece[] {
  const times = Float64Array.from(cells, ({ startMs }) => startMs);
  const rows = cells.map(columnsOf);
  return Array.from({ length: isGauge ? INCREASE : COLUMNS }, (_, column) => ({
    seriesId: seriesId * 16 + column,
    times,
    values: Float64Array.from(rows, (row) => row[column] as number),
  }));
}

/** The series that a packed piece is of. */
export const seriesOfPacked = (packedId: number) => Math.floor(packedId / 16);

/** The cells of each series whose pieces these are, in the order they were packed. */
export function* unpackCells(
  pieces: Iterable<Piece>,
): Generator<{ seriesId: number; cells: Cell[] }> {
  let seriesId: number | undefined;
  let times = new Float64Array(0);
  let columns: Float64Array[] = [];
  const unpack = () => {
    const at = (column: number, index: number) => columns[column]?.[index] ?? 0;
    const cells = Array.from(times, (startMs, index): Cell => {
      const [first, last] = [at(4, index), at(5, index)];
      const firstMs = startMs + at(6, index);
      return {
        startMs,
        count: at(0, index),
        sum: at(1, index),
        minimum: at(2, index),
        maximum: at(3, index),
        first,
        last,
        firstMs,
        lastMs: firstMs + at(7, index),
        increase: columns[INCREASE] ? at(INCREASE, index) + (last - first) : Number.NaN,
      };
    });
    return { seriesId: seriesId as number, cells };
  };
  for (const piece of pieces) {
    const of = seriesOfPacked(piece.seriesId);
    if (of !== seriesId) {
      if (seriesId !== undefined) yield unpack();
      seriesId = of;
      times = piece.times as typeof times;
      columns = [];
    }
    columns[piece.seriesId % 16] = piece.values;
  }
  if (seriesId !== undefined) yield unpack();
}
