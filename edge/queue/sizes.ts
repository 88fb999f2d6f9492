/** Everything that follows from the limit of a queue's directory; all in bytes. */
export interface Sizes {
  /** What the whole directory may take on disk. */
  limit: number;
  /** Frames in one segment, before compression: at most 4 % of the limit, so that on disk it stays under 5 %. */
  segment: number;
  /** LevelDB's memory for one open segment; up to two of them are held at a time. */
  segmentBuffer: number;
  metaBuffer: number;
  /** Room kept free for what LevelDB writes twice and for the meta database. */
  reserve: number;
  /** One group of appends that share an fsync. */
  group: number;
  /** One record's payload at most. */
  record: number;
  /** Damaged files kept for people to look at. */
  quarantine: number;
  /** Records that the server can never read, kept likewise. */
  parked: number;
  /** Entries in the ledger of drops; beyond it the oldest two of one reason become one. */
  drops: number;
}

export const defaultLimitBytes = 500_000_000;

/** Below this, LevelDB's own smallest buffers and files would not leave room for 20 segments. */
export const smallestLimitBytes = 5_000_000;

const KiB = 1024;
/** A start reads the open segment through, so it must stay small whatever the limit. */
const largestSegment = 32 * 1024 * KiB;

/** Throws a RangeError that says what to write when the limit is too small or no whole number. */
export function sizesFor(limit: number): Sizes {
  if (!Number.isSafeInteger(limit) || limit < smallestLimitBytes) {
    throw new RangeError(
      `The queue limit must be a whole number of at least ${smallestLimitBytes} bytes (${smallestLimitBytes / 1e6} MB), but it is ${limit}: write ${smallestLimitBytes} or more.`,
    );
  }
  const segment = Math.min(Math.floor(limit / 25), largestSegment);
  const segmentBuffer = clamp(Math.floor(segment / 8), 64 * KiB, 1024 * KiB);
  const metaBuffer = clamp(Math.floor(limit / 1000), 64 * KiB, 256 * KiB);
  return {
    limit,
    segment,
    segmentBuffer,
    metaBuffer,
    reserve: 3 * segmentBuffer + 4 * metaBuffer,
    group: Math.min(1024 * KiB, Math.floor(segment / 4)),
    record: segment - KiB,
    quarantine: Math.floor(limit / 20),
    parked: Math.floor(limit / 100),
    drops: clamp(Math.floor(limit / 50_000), 100, 1_000),
  };
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
