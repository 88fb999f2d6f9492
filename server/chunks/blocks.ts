import { type Piece, packBlock } from "./block-format.ts";

/** Points to a block, at most: enough to compress well, few enough to be unpacked for one series. */
export const BLOCK_POINTS = 32_768;

/** A block with what it is found by. */
export interface Block {
  firstSeries: number;
  lastSeries: number;
  startMs: number;
  endMs: number;
  points: number;
  body: Uint8Array;
}

/** Makes blocks of pieces that are told in order of series id. */
export interface Packer {
  /** The blocks that are full before this piece goes into one. */
  add(piece: Piece): readonly Block[];
  /** What is left. */
  end(): readonly Block[];
}

export interface PackingOptions {
  /** A higher one takes longer and saves more. */
  level: number;
  mostPoints?: number;
  /** Pieces that stay together are in one block, however many points that makes. */
  stayTogether?: (before: number, seriesId: number) => boolean;
}

export function makePacker(options: PackingOptions): Packer {
  const { level, mostPoints = BLOCK_POINTS, stayTogether = () => false } = options;
  let waiting: Piece[] = [];
  let points = 0;
  let before: number | undefined;
  const end = () => {
    const blocks = waiting.length > 0 ? [packOne(waiting, points, level)] : NONE;
    waiting = [];
    points = 0;
    before = undefined;
    return blocks;
  };
  const addOne = (piece: Piece) => {
    const { length } = piece.times;
    const isFull = before === piece.seriesId || points + length > mostPoints;
    const full = before !== undefined && isFull && !stayTogether(before, piece.seriesId);
    const blocks = full ? end() : NONE;
    waiting.push(piece);
    points += length;
    before = piece.seriesId;
    return blocks;
  };
  return {
    add: (piece) =>
      piece.times.length <= mostPoints
        ? addOne(piece)
        : cutLong(piece, mostPoints).flatMap((part) => addOne(part)),
    end,
  };
}

const NONE: readonly Block[] = [];

/** One series may have more points than a block. */
function cutLong({ seriesId, times, values }: Piece, mostPoints: number): Piece[] {
  const parts: Piece[] = [];
  for (let from = 0; from < times.length; from += mostPoints) {
    const to = Math.min(from + mostPoints, times.length);
    parts.push({ seriesId, times: times.subarray(from, to), values: values.subarray(from, to) });
  }
  return parts;
}

function packOne(pieces: readonly Piece[], points: number, level: number): Block {
  let startMs = Number.POSITIVE_INFINITY;
  let endMs = Number.NEGATIVE_INFINITY;
  for (const { times } of pieces) {
    startMs = Math.min(startMs, times[0] as number);
    endMs = Math.max(endMs, times.at(-1) as number);
  }
  return {
    firstSeries: pieces[0]?.seriesId ?? 0,
    lastSeries: pieces.at(-1)?.seriesId ?? 0,
    startMs,
    endMs,
    points,
    body: packBlock(pieces, level),
  };
}
