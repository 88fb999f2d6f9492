/** Points of one series that are refused, and why; without indexes, all of them. */
export interface Refusal {
  seriesIndex: number;
  pointIndexes: number[];
  reason: string;
}

/** Collects refusals and tells them in as few lines as they can be told: one for a series and reason. */
export interface Refusals {
  readonly points: number;
  readonly lines: Refusal[];
  /** All points of a series. */
  series(seriesIndex: number, points: number, reason: string): void;
  point(seriesIndex: number, pointIndex: number, reason: string): void;
  /** To be called after the points of a series of so many. */
  endSeries(points: number): void;
}

export function collectRefusals(): Refusals {
  const lines: Refusal[] = [];
  let points = 0;
  // The lines of the series under way.
  let open: Refusal[] = [];

  return {
    get points() {
      return points;
    },
    lines,
    series(seriesIndex, count, reason) {
      if (count === 0) return;
      points += count;
      lines.push({ seriesIndex, pointIndexes: [], reason });
    },
    point(seriesIndex, pointIndex, reason) {
      points += 1;
      const line = open.find((one) => one.reason === reason);
      if (line) line.pointIndexes.push(pointIndex);
      else {
        const begun = { seriesIndex, pointIndexes: [pointIndex], reason };
        open.push(begun);
        lines.push(begun);
      }
    },
    endSeries(count) {
      const [only] = open;
      if (only === undefined) return;
      if (only.pointIndexes.length === count) only.pointIndexes = [];
      open = [];
    },
  };
}
