import { type Point, usualDistance } from "../../charts/points.ts";

/** A poll, or a time without one. */
export interface PollRow {
  time: number;
  isUp: boolean;
  tookMs: number | undefined;
  /** Set for a time without results: how long it lasted. */
  gapMs?: number;
}

/** More than so many usual distances without a result are told as a gap. */
const GAP = 1.8;

/** Newest first. */
export function rowsOf(ups: Point[], durations: Point[]): PollRow[] {
  const took = new Map(durations.map(({ time, value }) => [time, value * 1000]));
  const usual = usualDistance(ups);
  const rows: PollRow[] = [];
  ups.forEach(({ time, value }, index) => {
    const before = ups[index - 1];
    if (before && time - before.time > usual * GAP) {
      const gapMs = time - before.time - usual;
      rows.push({ time: before.time + usual, isUp: false, tookMs: undefined, gapMs });
    }
    rows.push({ time, isUp: value >= 1, tookMs: took.get(time) });
  });
  return rows.reverse();
}
