export interface Point {
  /** Milliseconds since 1970. */
  time: number;
  value: number;
}

export interface Series {
  name: string;
  points: Point[];
}

/** Two points that are further apart than so many usual distances have a gap between them. */
const GAP = 2.5;

/** The distance that most neighbours keep. */
export function usualDistance(points: Point[]): number {
  const distances = points
    .slice(1)
    .map(({ time }, index) => time - (points[index]?.time ?? time))
    .sort((a, b) => a - b);
  return distances[Math.floor(distances.length / 2)] ?? 0;
}

/** What a chart draws: times in seconds, and null where nothing was measured, so that no line hides it. */
export function withGaps(points: Point[], stepMs?: number): [number[], (number | null)[]] {
  const times: number[] = [];
  const values: (number | null)[] = [];
  const usual = Math.max(usualDistance(points), stepMs ?? 0);
  let before: Point | undefined;
  for (const point of points) {
    if (before && point.time - before.time > usual * GAP) {
      times.push((before.time + usual) / 1000);
      values.push(null);
    }
    times.push(point.time / 1000);
    values.push(point.value);
    before = point;
  }
  return [times, values];
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12].map((count) => count * HOUR),
  DAY,
];

/** The round step in which a span has at most `most` points. */
export const stepFor = (spanMs: number, most: number) =>
  STEPS.find((step) => spanMs / step <= most) ?? Math.ceil(spanMs / most / DAY) * DAY;
