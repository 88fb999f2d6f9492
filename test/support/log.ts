import {
  joinSegment,
  makeBatchPacker,
  type PackedPoints,
} from "../../server/log/segment-format.ts";

export type TestPoint = [seriesId: number, ms: number, value: number];

const packer = makeBatchPacker();

/** Points as one batch of the log holds them, in the order given. */
export function packPoints(points: readonly TestPoint[], senderId = "s"): PackedPoints {
  packer.begin({ senderId, batchId: "", clockOffsetMs: 0 });
  let last: number | undefined;
  for (const [seriesId, ms, value] of points) {
    if (seriesId !== last) packer.series(seriesId);
    packer.point(ms, value);
    last = seriesId;
  }
  const packed = packer.finish();
  if (!packed) throw new Error("there are no points to pack");
  return packed;
}

/** The body of a segment with these points. */
export const segmentOf = (points: readonly TestPoint[]): Buffer =>
  joinSegment([packPoints(points)]);
