import { openQueue } from "../../edge/queue/queue.ts";
import { silentLog } from "../../lib/log.ts";

/** What a process of its own sees of a full queue. */
export interface Full {
  openMs: number;
  pointsPerSecond: number;
  bytesPerSecond: number;
  /** Resident bytes: before the queue is opened, once it is open, and at most while it is drained. */
  rssBefore: number;
  rssOpen: number;
  rssDraining: number;
}

const [directory = ""] = process.argv.slice(2);
const rssBefore = process.memoryUsage.rss();
const begun = performance.now();
await using queue = await openQueue(directory, { log: silentLog });
const openMs = performance.now() - begun;
const rssOpen = process.memoryUsage.rss();

let [points, bytes, rssDraining] = [0, 0, 0];
const drainBegun = performance.now();
while (performance.now() - drainBegun < 5_000) {
  const batch = await queue.next({ maxPoints: 5_000, maxBytes: 4_000_000 });
  if (!batch) break;
  points += batch.points;
  for (const { payload } of batch.records) bytes += payload.length;
  await queue.acknowledge(batch);
  rssDraining = Math.max(rssDraining, process.memoryUsage.rss());
}
const took = (performance.now() - drainBegun) / 1_000;
const full: Full = {
  openMs,
  pointsPerSecond: points / took,
  bytesPerSecond: bytes / took,
  rssBefore,
  rssOpen,
  rssDraining,
};
console.log(JSON.stringify(full));
