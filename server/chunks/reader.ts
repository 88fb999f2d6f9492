import { makeBreath } from "../../lib/breath.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { makeRecentMap } from "../../lib/recent-map.ts";
import { noteSenders } from "../catalog/activity.ts";
import type { Database } from "../db/database.ts";
import { DamagedBytes } from "../log/bytes.ts";
import type { Reader } from "../readers/reader.ts";
import type { Piece } from "./block-format.ts";
import { packBlocks } from "./blocks.ts";
import { type CompactionRules, compact } from "./compaction.ts";
import { gather } from "./gather.ts";
import { cutEvery } from "./merge.ts";
import { CHUNKS } from "./names.ts";
import { insertFresh, type NewBlock } from "./store.ts";
import { bucketOf, WINDOW_MS } from "./windows.ts";

/** What is compressed again within the day is compressed in haste. */
const FRESH_COMPRESSION = 1;

/** A point of the log is no shorter: its value, and a byte at least of its time. */
const LEAST_POINT_BYTES = 9;

/** What a sender sends is written to the catalog at most so often. */
const NOTED_EVERY_MS = 600_000;
const NOTED_BYTES = 16 << 20;

export interface ChunkParts {
  db: Database;
  log: Log;
  clock: Clock;
  retentionMs: number;
  /** How long points may stay in the log. */
  patience?: Reader["patience"];
  compaction?: Partial<CompactionRules>;
  /** Told what was lost: damaged segments of the log, and points that came too late to be kept. */
  onLost?: (lost: { segments: number; expiredPoints: number }) => void;
}

/**
 * The reader of the log that makes chunks: points by series and day, compressed, each time once. It
 * merges them more and more, and when a day is over settles it and makes its roll-ups.
 */
export function chunkReader(parts: ChunkParts): Reader {
  const { log, clock, retentionMs, onLost } = parts;
  const noted = makeRecentMap<boolean>(NOTED_BYTES, { forgetAfterMs: NOTED_EVERY_MS, clock });
  return {
    name: CHUNKS,
    patience: parts.patience ?? { ms: 30_000, bytes: 4 << 20 },
    portionBytes: 16 << 20,
    async read(segments, { workspaceId, signal }) {
      const senders = new Map<string, Set<number>>();
      const bytes = segments.reduce((sum, { body }) => sum + body.length, 0);
      const points = gather({
        room: Math.ceil(bytes / LEAST_POINT_BYTES),
        noteOf(senderId) {
          if (noted.get(`${workspaceId} ${senderId}`)) return undefined;
          const own = senders.get(senderId) ?? new Set();
          senders.set(senderId, own);
          return own;
        },
      });
      let damaged = 0;
      const breathe = makeBreath(signal);
      for (const { segmentId, body } of segments) {
        try {
          points.addSegment(body);
        } catch (error) {
          if (!(error instanceof DamagedBytes)) throw error;
          damaged += 1;
          log.error(
            { err: error, workspaceId, segmentId: String(segmentId) },
            "a segment of the log is damaged; its points are lost",
          );
        }
        await breathe();
      }
      const oldestMs = clock.now() - retentionMs;
      const { blocks, expired } = await packFresh(points.pieces(), oldestMs, signal);
      return async (transaction) => {
        await insertFresh(transaction, workspaceId, 0, blocks);
        await noteSenders(transaction, workspaceId, senders);
        for (const senderId of senders.keys()) noted.set(`${workspaceId} ${senderId}`, true);
        onLost?.({ segments: damaged, expiredPoints: expired });
      };
    },
    tend: (turn) => compact(parts, turn),
  };
}

interface Place {
  windowStart: number;
  bucket: number;
  pieces: Piece[];
}

/** The blocks of pieces by day and bucket; those of days that are not kept any more are left out. */
export async function packFresh(
  pieces: readonly Piece[],
  oldestMs: number,
  signal?: AbortSignal,
): Promise<{ blocks: NewBlock[]; expired: number }> {
  let expired = 0;
  const breathe = makeBreath(signal);
  const places = new Map<string, Place>();
  // Pieces come by id, so that many in a row are of one place.
  let place: Place | undefined;
  for (const [index, whole] of pieces.entries()) {
    const bucket = bucketOf(whole.seriesId);
    for (const { startMs, piece } of cutEvery(whole, WINDOW_MS)) {
      if (startMs + WINDOW_MS <= oldestMs) {
        expired += piece.times.length;
        continue;
      }
      if (place?.windowStart !== startMs || place.bucket !== bucket) {
        const key = `${startMs} ${bucket}`;
        place = places.get(key) ?? { windowStart: startMs, bucket, pieces: [] };
        places.set(key, place);
      }
      place.pieces.push(piece);
    }
    if (index % 64 === 0) await breathe();
  }
  const blocks: NewBlock[] = [];
  for (const { windowStart, bucket, pieces: own } of places.values()) {
    for (const block of packBlocks(own, FRESH_COMPRESSION)) {
      blocks.push({ ...block, windowStart, bucket });
      await breathe();
    }
  }
  return { blocks, expired };
}
