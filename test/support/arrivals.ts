import { readSegment } from "../../server/log/segment-format.ts";
import type { AnyServer } from "./server.ts";

/** Some points of one series as they stand in the log, before queries make one of what is there twice. */
export interface ArrivedRun {
  batchId: string;
  clockOffsetMs: number;
  seriesId: number;
  times: number[];
  values: number[];
}

/** All that a sender has stored, in the order of arrival, with every repetition. */
export async function readArrivals(server: AnyServer, senderId: string): Promise<ArrivedRun[]> {
  const segments = await server.sql<{ body: Buffer }>(
    "select body from segments order by segment_id",
  );
  const runs: ArrivedRun[] = [];
  for (const { body } of segments) {
    const everything = () => true;
    readSegment(body, everything, ({ batch, seriesId, count, times, values }) => {
      if (batch.senderId !== senderId) return;
      const { batchId, clockOffsetMs } = batch;
      runs.push({
        batchId,
        clockOffsetMs,
        seriesId,
        times: [...times.subarray(0, count)],
        values: [...values.subarray(0, count)],
      });
    });
  }
  return runs;
}

/** Whether every point is at least as new as those that arrived in batches before its own. */
export function isOldestFirst(runs: readonly ArrivedRun[]): boolean {
  let [batchId, newest, before] = ["", 0, 0];
  for (const run of runs) {
    if (run.batchId !== batchId) {
      batchId = run.batchId;
      before = newest;
    }
    if (run.times.some((time) => time < before)) return false;
    newest = Math.max(newest, ...run.times);
  }
  return true;
}
