import { findGauges, noteSeen } from "../catalog/activity.ts";
import type { Turn } from "../readers/reader.ts";
import { BLOCK_POINTS } from "./blocks.ts";
import { makePartition } from "./partitions.ts";
import type { ChunkParts } from "./reader.ts";
import { ROLLUPS } from "./rollup.ts";
import * as store from "./store.ts";
import { seriesOf, WINDOW_MS } from "./windows.ts";

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
/** There is more to merge soon. */
const NEXT_MS = 60_000;

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
async function mergeLevel(
  { db, packing, compaction }: ChunkParts,
  turn: Turn,
  place: store.Place,
  level: number,
): Promise<void> {
  const { blockPoints, mostMerged } = { ...RULES, ...compaction };
  const sources = await store.findFresh(db, place, { level, most: mostMerged });
  const bodies = sources.map(({ body }) => body);
  const task = { place, bodies, blockPoints };
  const { blocks, lastSeen } = await packing.run("mergeChunks", task, turn.signal);
  await turn.commit(async (transaction) => {
    await store.deleteMerged(transaction, "fresh_chunks", place, idsOf(sources));
    await store.insertFresh(transaction, place.workspaceId, level + 1, blocks);
    // Of what is merged again it was noted the first time.
    if (level === 0) await noteSeen(transaction, place.workspaceId, lastSeen);
  });
}

/** Puts all chunks of a place together, those settled before included, and makes its roll-ups anew. */
async function settle({ db, packing }: ChunkParts, turn: Turn, place: store.Place): Promise<void> {
  const { workspaceId, windowStart } = place;
  for (const table of ["chunks", ...ROLLUPS.map((rollup) => rollup.table)] as const) {
    await makePartition(db, table, windowStart);
  }
  const settled = await store.findSettled(db, place);
  const fresh = await store.findFresh(db, place);
  const gauges = await findGauges(db, workspaceId, seriesOf(place.bucket));
  const task = { place, settled, fresh: fresh.map(({ body }) => body), gauges };
  const { blocks, lastSeen, rollups } = await packing.run("settleChunks", task, turn.signal);
  await turn.commit(async (transaction) => {
    await store.deleteMerged(transaction, "fresh_chunks", place, idsOf(fresh));
    await store.deleteMerged(transaction, "chunks", place, idsOf(settled));
    await store.insertSettled(transaction, "chunks", workspaceId, blocks);
    for (const { table, blocks: packed } of rollups) {
      await store.deleteRollups(transaction, table, place);
      await store.insertSettled(transaction, table, workspaceId, packed);
    }
    await noteSeen(transaction, workspaceId, lastSeen);
  });
}

const idsOf = (chunks: readonly store.StoredBlock[]) => chunks.map(({ chunkId }) => chunkId);
