/**
 * Chunks are kept by window and bucket: a day, by the clock in UTC, of series whose ids are near each other. So all
 * chunks that can hold a point of a series are found by two equal columns.
 */
export const WINDOW_MS = 86_400_000;
/**
 * Points are kept for a day more than is promised: one whose sender's clock is behind is judged by
 * the right time, and bears an earlier one.
 */
export const KEPT_LONGER_MS = WINDOW_MS;
/**
 * A settled day is cut into sections, a block holding points of one only: who asks for an hour unpacks four, while
 * what a block says of each series still costs little beside its points.
 */
export const SECTION_MS = 4 * 3_600_000;
/** Series to a bucket. */
const BUCKET_SERIES = 1024;

export const windowOf = (ms: number) => Math.floor(ms / WINDOW_MS) * WINDOW_MS;
export const bucketOf = (seriesId: number) => Math.floor(seriesId / BUCKET_SERIES);

/** The ids of the series of a bucket: from the first one on, up to but without the second. */
export const seriesOf = (bucket: number): [from: number, to: number] => [
  bucket * BUCKET_SERIES,
  (bucket + 1) * BUCKET_SERIES,
];
