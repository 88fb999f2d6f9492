import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { makeRecentMap } from "../../lib/recent-map.ts";
import { noteSenders } from "../catalog/activity.ts";
import type { Database } from "../db/database.ts";
import { DamagedBytes } from "../log/bytes.ts";
import type { Reader } from "../readers/reader.ts";
import { type CompactionRules, compact } from "./compaction.ts";
import { CHUNKS } from "./names.ts";
import type { PackingThread } from "./packing-thread.ts";
import { insertFresh } from "./store.ts";

/** What a sender sends is written to the catalog at most so often. */
const NOTED_EVERY_MS = 600_000;
const NOTED_BYTES = 16 << 20;

export interface ChunkParts {
  db: Database;
  packing: PackingThread;
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
  const { packing, log, clock, retentionMs, onLost } = parts;
  const noted = makeRecentMap<boolean>(NOTED_BYTES, { forgetAfterMs: NOTED_EVERY_MS, clock });
  return {
    name: CHUNKS,
    patience: parts.patience ?? { ms: 30_000, bytes: 4 << 20 },
    portionBytes: 16 << 20,
    async read(segments, { workspaceId, signal }) {
      const bodies = segments.map(({ body }) => body);
      const oldestMs = clock.now() - retentionMs;
      const chunked = await packing.run("chunkSegments", { bodies, oldestMs }, signal);
      const { blocks, expired, damaged } = chunked;
      for (const { index, reason } of damaged) {
        const segmentId = String(segments[index]?.segmentId);
        log.error(
          { err: new DamagedBytes(reason), workspaceId, segmentId },
          "a segment of the log is damaged; its points are lost",
        );
      }
      const keyOf = (senderId: string) => `${workspaceId} ${senderId}`;
      const senders = new Map<string, Iterable<number>>();
      for (const { senderId, seriesIds } of chunked.senders) {
        if (!noted.get(keyOf(senderId))) senders.set(senderId, seriesIds);
      }
      return async (transaction) => {
        await insertFresh(transaction, workspaceId, 0, blocks);
        await noteSenders(transaction, workspaceId, senders);
        for (const senderId of senders.keys()) noted.set(keyOf(senderId), true);
        onLost?.({ segments: damaged.length, expiredPoints: expired });
      };
    },
    tend: (turn) => compact(parts, turn),
  };
}
