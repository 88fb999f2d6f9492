import {
  type BatchPacker,
  joinSegment,
  makeBatchPacker,
  type PackedPoints,
} from "../../server/log/segment-format.ts";

export type TestPoint = [seriesId: number, ms: number, value: number];

const packer = makeBatchPacker();

/** Adds points of one series to the batch under way. */
export function addRun(
  to: BatchPacker,
  seriesId: number,
  points: readonly (readonly [ms: number, value: number])[],
): void {
  const times = Float64Array.from(points, ([ms]) => ms);
  const values = Float64Array.from(points, ([, value]) => value);
  to.run(seriesId, points.length, times, values);
}

/** Points as one batch of the log holds them, in the order given. */
export function packPoints(points: readonly TestPoint[], senderId = "s"): PackedPoints {
  packer.begin({ senderId, batchId: "", clockOffsetMs: 0 });
  for (let from = 0, to = 0; from < points.length; from = to) {
    const [seriesId] = points[from] as TestPoint;
    while (points[to]?.[0] === seriesId) to += 1;
    addRun(
      packer,
      seriesId,
      points.slice(from, to).map(([, ms, value]) => [ms, value]),
    );
  }
  const packed = packer.finish();
  if (!packed) throw new Error("there are no points to pack");
  return packed;
}

/** The body of a segment with these points. */
export const segmentOf = (points: readonly TestPoint[]): Buffer =>
  joinSegment([packPoints(points)]);
