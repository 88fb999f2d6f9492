import type { Log } from "../lib/log.ts";
import type { Queue } from "./queue/queue.ts";
import { readStatus } from "./status.ts";

/**
 * An installation that was enrolled finds no queue at all: somebody has deleted it. What was in it
 * when the process before this one last wrote its status is counted as lost.
 */
export async function noteLostQueue(dataDir: string, queue: Queue, log: Log): Promise<void> {
  const last = await readStatus(dataDir).catch(() => undefined);
  const points = last?.queue.queuedPoints;
  log.warn({ dataDir, points }, "the queue was deleted, with what waited in it");
  if (!last || !points) return;
  const endTime = Date.parse(last.writtenAt);
  const startTime = last.queue.oldestPointTime ?? endTime;
  await queue.noteLoss({ startTime, endTime, points, reason: "damage" });
}
