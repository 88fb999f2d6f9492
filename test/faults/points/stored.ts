import { readSegment } from "../../../server/log/segment-format.ts";
import type { AnyServer } from "../../support/server.ts";
import type { SentPoint } from "./load.ts";

/** One batch as it lies in a segment of the log. */
export interface StoredBatch {
  senderId: string;
  batchId: string;
  points: SentPoint[];
}

/** Everything in a segment, by the parts that its series are of. */
export function batchesIn(body: Buffer, partOf: ReadonlyMap<number, string>): StoredBatch[] {
  const batches: StoredBatch[] = [];
  let last: unknown;
  const everything = () => true;
  readSegment(body, everything, ({ batch, seriesId, count, times, values }) => {
    const { senderId, batchId } = batch;
    if (batch !== last) batches.push({ senderId, batchId, points: [] });
    last = batch;
    for (let at = 0; at < count; at += 1) {
      const series = partOf.get(seriesId) ?? `series ${seriesId}`;
      batches.at(-1)?.points.push({ series, ms: times[at] ?? 0, value: values[at] ?? 0 });
    }
  });
  return batches;
}

/** The label that tells the series of one sender apart, by series id. */
export async function partsOf(server: AnyServer): Promise<Map<number, string>> {
  const rows = await server.sql<{ id: string; part: string }>(
    "select series_id::text as id, labels ->> 'part' as part from series",
  );
  return new Map(rows.map(({ id, part }) => [Number(id), part]));
}

/** The whole log, whatever a query would make of it. */
export async function readLog(server: AnyServer): Promise<StoredBatch[]> {
  const parts = await partsOf(server);
  const segments = await server.sql<{ body: Buffer }>("select body from segments");
  return segments.flatMap(({ body }) => batchesIn(body, parts));
}
