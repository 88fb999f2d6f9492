import { DamagedBytes } from "../log/bytes.ts";
import { type Piece, readBlock } from "./block-format.ts";
import { type Block, makePacker, type PackingOptions } from "./blocks.ts";
import { gather } from "./gather.ts";
import { cutEvery, mergePieces } from "./merge.ts";
import { cellsOf, packCells, ROLLUPS, type Rollup, seriesOfPacked } from "./rollup.ts";
import type { NewBlock, Place } from "./store.ts";
import { bucketOf, SECTION_MS, WINDOW_MS } from "./windows.ts";

/**
 * All of making chunks that asks no database: functions of plain values and bytes, so that a thread
 * of its own can do it (see packing-thread.ts).
 */
export const packing = { chunkSegments, mergeChunks, settleChunks };
export type Packing = typeof packing;

/** What is compressed again within the day is compressed in haste. */
const FRESH: PackingOptions = { level: 1 };
const COMPRESSION = 3;
const SETTLED = { level: COMPRESSION, mostPoints: 8_192, sectionMs: SECTION_MS };
const ROLLED_UP: PackingOptions = {
  level: COMPRESSION,
  stayTogether: (a, b) => seriesOfPacked(a) === seriesOfPacked(b),
};

/** A point of the log is no shorter: its value, and a byte at least of its time. */
const LEAST_POINT_BYTES = 9;

const wantsAll = () => true;
/** Buffers come as plain arrays of bytes from one thread to another. */
const bufferOf = ({ buffer, byteOffset, length }: Uint8Array) =>
  Buffer.from(buffer, byteOffset, length);

type DayAndBucket = Pick<Place, "windowStart" | "bucket">;

/** What a portion of the log comes to. */
export interface Chunked {
  blocks: NewBlock[];
  /** Of which series each sender has sent points, by their ids. */
  senders: { senderId: string; seriesIds: Float64Array }[];
  /** Points of days that are not kept any more, which are in no block. */
  expired: number;
  /** Segments that could not be read, by their places among those given, and why. */
  damaged: { index: number; reason: string }[];
}

/** The blocks of segments of the log, by day and bucket; of days that ended before `oldestMs` none. */
function chunkSegments({ bodies, oldestMs }: { bodies: Uint8Array[]; oldestMs: number }): Chunked {
  const senders = new Map<string, Set<number>>();
  const bytes = bodies.reduce((sum, { length }) => sum + length, 0);
  const points = gather({
    room: Math.ceil(bytes / LEAST_POINT_BYTES),
    noteOf(senderId) {
      const ids = senders.get(senderId) ?? new Set();
      senders.set(senderId, ids);
      return ids;
    },
  });
  const damaged: Chunked["damaged"] = [];
  for (const [index, body] of bodies.entries()) {
    try {
      points.addSegment(bufferOf(body));
    } catch (error) {
      if (!(error instanceof DamagedBytes)) throw error;
      damaged.push({ index, reason: error.message });
    }
  }
  return {
    ...packFresh(points.pieces(), oldestMs),
    senders: Array.from(senders, ([senderId, ids]) => ({
      senderId,
      seriesIds: Float64Array.from(ids),
    })),
    damaged,
  };
}

/** Packs pieces of one place, and puts its blocks to others. */
function packInto(blocks: NewBlock[], place: DayAndBucket, options: PackingOptions) {
  const { windowStart, bucket } = place;
  const packer = makePacker(options);
  const keep = (made: readonly Block[]) => {
    for (const block of made) blocks.push({ ...block, windowStart, bucket });
  };
  return {
    windowStart,
    bucket,
    add: (piece: Piece) => keep(packer.add(piece)),
    end: () => keep(packer.end()),
  };
}
type PlacePacker = ReturnType<typeof packInto>;

function packFresh(pieces: readonly Piece[], oldestMs: number) {
  const blocks: NewBlock[] = [];
  let expired = 0;
  const packers = new Map<string, PlacePacker>();
  // Pieces come by id, so that many in a row are of one place.
  let place: PlacePacker | undefined;
  for (const whole of pieces) {
    const bucket = bucketOf(whole.seriesId);
    for (const { startMs: windowStart, piece } of cutEvery(whole, WINDOW_MS)) {
      if (windowStart + WINDOW_MS <= oldestMs) {
        expired += piece.times.length;
        continue;
      }
      if (place?.windowStart !== windowStart || place.bucket !== bucket) {
        const key = `${windowStart} ${bucket}`;
        place = packers.get(key) ?? packInto(blocks, { windowStart, bucket }, FRESH);
        packers.set(key, place);
      }
      place.add(piece);
    }
  }
  for (const { end } of packers.values()) end();
  return { blocks, expired };
}

/** Blocks of some place, and when each series in them had its last point. */
interface Merged {
  blocks: NewBlock[];
  lastSeen: Map<number, number>;
}

/** Puts chunks of one place together, the first to arrive first. */
function mergeChunks(task: {
  place: DayAndBucket;
  bodies: Uint8Array[];
  blockPoints: number;
}): Merged {
  const { place, bodies, blockPoints } = task;
  const pieces = mergePieces(bodies.map((body) => readBlock(bufferOf(body), wantsAll)));
  return pack(pieces, place, { level: COMPRESSION, mostPoints: blockPoints });
}

/** A day of some series, as it stays. */
interface Settled extends Merged {
  rollups: { table: Rollup["table"]; blocks: NewBlock[] }[];
}

/**
 * Puts all chunks of one place together and makes its roll-ups. `settled` are those that were settled
 * before, in order of series and time; `fresh` came later, the first to arrive first. Of gauges the
 * ids are given.
 */
function settleChunks(task: {
  place: DayAndBucket;
  settled: { startMs: number; body: Uint8Array }[];
  fresh: Uint8Array[];
  gauges: Set<number>;
}): Settled {
  const { place, settled, fresh, gauges } = task;
  // In order of series ids within a section, the blocks of one section can be read as one.
  const sections = Map.groupBy(settled, ({ startMs }) => Math.floor(startMs / SECTION_MS));
  const pieces = mergePieces([
    ...Array.from(sections.values(), (blocks) => chain(blocks.map(({ body }) => body))),
    ...fresh.map((body) => readBlock(bufferOf(body), wantsAll)),
  ]);
  const rollups = ROLLUPS.map((rollup) => ({ ...rollup, cells: [] as Piece[] }));
  const watched = (function* () {
    for (const piece of pieces) {
      const isGauge = gauges.has(piece.seriesId);
      for (const { resolutionMs, cells } of rollups) {
        cells.push(...packCells(piece.seriesId, cellsOf(piece, resolutionMs), isGauge));
      }
      yield piece;
    }
  })();
  const merged = pack(watched, place, SETTLED);
  return {
    ...merged,
    rollups: rollups.map(({ table, cells }) => ({
      table,
      blocks: pack(cells, place, ROLLED_UP).blocks.map(ofSeries),
    })),
  };
}

/** A block of roll-ups, found by the series that its columns are of. */
const ofSeries = (block: NewBlock): NewBlock => ({
  ...block,
  firstSeries: seriesOfPacked(block.firstSeries),
  lastSeries: seriesOfPacked(block.lastSeries),
});

function* chain(bodies: readonly Uint8Array[]): Generator<Piece> {
  for (const body of bodies) yield* readBlock(bufferOf(body), wantsAll);
}

function pack(
  pieces: Iterable<Piece>,
  place: DayAndBucket,
  { sectionMs = WINDOW_MS, ...options }: PackingOptions & { sectionMs?: number },
): Merged {
  const lastSeen = new Map<number, number>();
  const blocks: NewBlock[] = [];
  const packers = new Map<number, PlacePacker>();
  for (const piece of pieces) {
    lastSeen.set(piece.seriesId, piece.times.at(-1) as number);
    for (const { startMs, piece: cut } of cutEvery(piece, sectionMs)) {
      const packer = packers.get(startMs) ?? packInto(blocks, place, options);
      packers.set(startMs, packer);
      packer.add(cut);
    }
  }
  for (const { end } of packers.values()) end();
  return { blocks, lastSeen };
}
