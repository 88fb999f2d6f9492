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
  body: Buffer;
}

/** Makes blocks of pieces that are told in order of series id. */
export interface Packer {
  /** The blocks that are full before this piece goes into one. */
  add(piece: Piece): Iterable<Block>;
  /** What is left. */
  end(): Iterable<Block>;
}

export interface PackingOptions {
  /** A higher one takes longer and saves more. */
  level: number;
  mostPoints?: number | undefined;
  /** Pieces that stay together are in one block, however many points that makes. */
  stayTogether?: (before: number, seriesId: number) => boolean;
}

export function makePacker(options: PackingOptions): Packer {
  const { level, mostPoints = BLOCK_POINTS, stayTogether = () => false } = options;
  let waiting: Piece[] = [];
  let points = 0;
  function* end() {
    if (waiting.length > 0) yield packOne(waiting, points, level);
    waiting = [];
    points = 0;
  }
  return {
    *add(whole) {
      for (const piece of cutLong(whole, mostPoints)) {
        const { length } = piece.times;
        const before = waiting.at(-1)?.seriesId;
        const isFull = before === piece.seriesId || points + length > mostPoints;
        if (before !== undefined && isFull && !stayTogether(before, piece.seriesId)) yield* end();
        waiting.push(piece);
        points += length;
      }
    },
    end,
  };
}

/** Packs pieces, in order of series id, into as many blocks as it takes. */
export function* packBlocks(pieces: Iterable<Piece>, level: number): Generator<Block> {
  const packer = makePacker({ level });
  for (const piece of pieces) yield* packer.add(piece);
  yield* packer.end();
}

/** One series may have more points than a block. */
function* cutLong(piece: Piece, mostPoints: number): Generator<Piece> {
  const { seriesId, times, values } = piece;
  if (times.length <= mostPoints) return yield piece;
  for (let from = 0; from < times.length; from += mostPoints) {
    const to = Math.min(from + mostPoints, times.length);
    yield { seriesId, times: times.subarray(from, to), values: values.subarray(from, to) };
  }
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
