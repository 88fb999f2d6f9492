import { findGauges, noteSeen } from "../catalog/activity.ts";
import type { Turn } from "../readers/reader.ts";
import { type Piece, readBlock } from "./block-format.ts";
import {
  BLOCK_POINTS,
  type Block,
  makePacker,
  type Packer,
  type PackingOptions,
} from "./blocks.ts";
import { cutEvery, mergePieces } from "./merge.ts";
import { makePartition } from "./partitions.ts";
import type { ChunkParts } from "./reader.ts";
import { cellsOf, packCells, ROLLUPS, type Rollup, seriesOfPacked } from "./rollup.ts";
import * as store from "./store.ts";
import { SECTION_MS, seriesOf, WINDOW_MS } from "./windows.ts";

export interface CompactionRules {
  /** So many chunks of a level become fewer of the next: small ones, or any that hold the same series. */
  fanIn: number;
  /** Chunks that are merged at one time, at most: those that are merged are in memory together. */
  mostMerged: number;
  /** Points to a block, at most. */
  blockPoints: number;
  /**
   * Full blocks of so few series, by the span of their ids, stay as they are: to read one series is
   * cheap enough then, and to put many together costs memory.
   */
  narrow: number;
  /** A day is settled when it has been over for so long and nothing has come for it in a while. */
  graceMs: number;
  quietMs: number;
}

const RULES: CompactionRules = {
  fanIn: 8,
  mostMerged: 128,
  blockPoints: BLOCK_POINTS,
  narrow: 64,
  graceMs: 3_600_000,
  quietMs: 600_000,
};
const COMPRESSION = 3;
/** There is more to merge soon. */
const NEXT_MS = 60_000;

const wantsAll = () => true;

/**
 * Merges what has gathered in a workspace, a place at a time, each in a transaction of its own.
 * Answers in how many ms to come again; undefined when nothing is left.
 */
export async function compact(parts: ChunkParts, turn: Turn): Promise<number | undefined> {
  const { db } = parts;
  const { workspaceId } = turn;
  const rules = { ...RULES, ...parts.compaction };
  const { groups, nowMs } = await store.listFresh(db, workspaceId, rules.blockPoints / 4);
  const places = Map.groupBy(groups, ({ windowStart, bucket }) => `${windowStart} ${bucket}`);
  let left = groups.length > 0;
  for (const levels of places.values()) {
    const [{ windowStart, bucket } = { windowStart: 0, bucket: 0 }] = levels;
    const place = { workspaceId, windowStart, bucket };
    turn.signal.throwIfAborted();
    if (isReady(windowStart, levels, nowMs, rules)) await settle(parts, turn, place);
    else {
      left = true;
      for (const group of levels) {
        if (isWorthMerging(group, rules)) await mergeLevel(parts, turn, place, group.level);
      }
    }
  }
  return left ? NEXT_MS : undefined;
}

function isReady(
  windowStart: number,
  levels: readonly store.FreshGroup[],
  nowMs: number,
  { graceMs, quietMs }: CompactionRules,
): boolean {
  if (nowMs - (windowStart + WINDOW_MS) < graceMs) return false;
  const newest = Math.min(...levels.map(({ newestAgeMs }) => newestAgeMs));
  const oldest = Math.max(...levels.map(({ oldestAgeMs }) => oldestAgeMs));
  // A backlog that goes on and on must not put it off for ever.
  return newest >= quietMs || oldest >= graceMs + quietMs;
}

/**
 * Whether merging a level makes fewer chunks of it, or chunks of fewer series: then each point is written
 * again a few times in all, however many come.
 */
function isWorthMerging(
  { level, chunks, smallChunks, series, range }: store.FreshGroup,
  { fanIn, narrow }: CompactionRules,
): boolean {
  if (chunks < fanIn) return false;
  // Small ones become fewer, whichever series they hold.
  if (smallChunks >= fanIn && smallChunks >= chunks / 2) return true;
  // Large ones do not: it is worth it when a series is in many of them. The first time packs better, too.
  return series / range >= fanIn && (level === 0 || series / chunks > narrow);
}

/** Puts the chunks of one level of a place together, the first to arrive first, a level higher. */
export async function mergeLevel(
  { db, compaction }: ChunkParts,
  turn: Turn,
  place: store.Place,
  level: number,
): Promise<void> {
  const { blockPoints, mostMerged } = { ...RULES, ...compaction };
  const sources = await store.findFresh(db, place, { level, most: mostMerged });
  const merged = mergePieces(sources.map(({ body }) => readBlock(body, wantsAll)));
  const { blocks, lastSeen } = await pack(merged, place, { ...LEVEL, mostPoints: blockPoints });
  await turn.commit(async (transaction) => {
    await store.deleteMerged(
      transaction,
      "fresh_chunks",
      place,
      sources.map(({ chunkId }) => chunkId),
    );
    await store.insertFresh(transaction, place.workspaceId, level + 1, blocks);
    // Of what is merged again it was noted the first time.
    if (level === 0) await noteSeen(transaction, place.workspaceId, lastSeen);
  });
}

/** Puts all chunks of a place together, those settled before included, and makes its roll-ups anew. */
export async function settle({ db }: ChunkParts, turn: Turn, place: store.Place): Promise<void> {
  const { workspaceId, windowStart } = place;
  for (const table of ["chunks", ...ROLLUPS.map((rollup) => rollup.table)] as const) {
    await makePartition(db, table, windowStart);
  }
  const settled = await store.findSettled(db, place);
  const fresh = await store.findFresh(db, place);
  const gauges = await findGauges(db, workspaceId, seriesOf(place.bucket));
  // In order of series ids within a section, the blocks of one section can be read as one.
  const sections = Map.groupBy(settled, ({ startMs }) => Math.floor(startMs / SECTION_MS));
  const pieces = mergePieces([
    ...Array.from(sections.values(), (blocks) =>
      chain(blocks.map(({ body }) => readBlock(body, wantsAll))),
    ),
    ...fresh.map(({ body }) => readBlock(body, wantsAll)),
  ]);
  const cells = new Map<Rollup, Piece[]>(ROLLUPS.map((rollup) => [rollup, []]));
  const watched = (function* () {
    for (const piece of pieces) {
      const isGauge = gauges.has(piece.seriesId);
      for (const [{ resolutionMs }, packed] of cells) {
        packed.push(...packCells(piece.seriesId, cellsOf(piece, resolutionMs), isGauge));
      }
      yield piece;
    }
  })();
  const { blocks, lastSeen } = await pack(watched, place, SETTLED);
  const rollups: [Rollup, store.NewBlock[]][] = [];
  for (const [rollup, packed] of cells) {
    rollups.push([rollup, (await pack(packed, place, ROLLED_UP)).blocks.map(ofSeries)]);
  }
  await turn.commit(async (transaction) => {
    const idsOf = (chunks: store.StoredBlock[]) => chunks.map(({ chunkId }) => chunkId);
    await store.deleteMerged(transaction, "fresh_chunks", place, idsOf(fresh));
    await store.deleteMerged(transaction, "chunks", place, idsOf(settled));
    await store.insertSettled(transaction, "chunks", workspaceId, blocks);
    for (const [{ table }, packed] of rollups) {
      await store.deleteRollups(transaction, table, place);
      await store.insertSettled(transaction, table, workspaceId, packed);
    }
    await noteSeen(transaction, workspaceId, lastSeen);
  });
}

const LEVEL = { level: COMPRESSION };
const SETTLED = { ...LEVEL, mostPoints: 8_192, sectionMs: SECTION_MS };
const ROLLED_UP = {
  ...LEVEL,
  stayTogether: (a: number, b: number) => seriesOfPacked(a) === seriesOfPacked(b),
};

/** A block of roll-ups, found by the series that its columns are of. */
const ofSeries = (block: store.NewBlock): store.NewBlock => ({
  ...block,
  firstSeries: seriesOfPacked(block.firstSeries),
  lastSeries: seriesOfPacked(block.lastSeries),
});

function* chain<T>(sources: Iterable<T>[]): Generator<T> {
  for (const source of sources) yield* source;
}

/** The blocks of pieces, and when each series was seen last. */
async function pack(
  pieces: Iterable<Piece>,
  { windowStart, bucket }: store.Place,
  { sectionMs = WINDOW_MS, ...options }: PackingOptions & { sectionMs?: number } = LEVEL,
): Promise<{ blocks: store.NewBlock[]; lastSeen: Map<number, number> }> {
  const lastSeen = new Map<number, number>();
  const blocks: store.NewBlock[] = [];
  const keep = async (made: readonly Block[]) => {
    for (const block of made) {
      blocks.push({ ...block, windowStart, bucket });
      // Calls are answered in between.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const packers = new Map<number, Packer>();
  for (const piece of pieces) {
    lastSeen.set(piece.seriesId, piece.times.at(-1) as number);
    for (const { startMs, piece: cut } of cutEvery(piece, sectionMs)) {
      const packer = packers.get(startMs) ?? makePacker(options);
      packers.set(startMs, packer);
      const full = packer.add(cut);
      if (full.length > 0) await keep(full);
    }
  }
  for (const packer of packers.values()) await keep(packer.end());
  return { blocks, lastSeen };
}
