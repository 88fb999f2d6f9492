/** Lumetry with points in it, as if they had come over the wire and been settled. */
import { readFile } from "node:fs/promises";
import { systemClock } from "../../../lib/clock.ts";
import { silentLog } from "../../../lib/log.ts";
import { makePackingThread } from "../../../server/chunks/packing-thread.ts";
import { chunkReader } from "../../../server/chunks/reader.ts";
import { connectDatabase } from "../../../server/db/database.ts";
import { joinSegment, makeBatchPacker } from "../../../server/log/segment-format.ts";
import { makeSeriesResolver } from "../../../server/log/series.ts";
import { takeTurn } from "../../../server/readers/reader.ts";
import { migratedDatabase } from "../../support/database.ts";
import { type Owner, setUp } from "../../support/server.ts";
import { type ServerProcess, startServerProcess } from "../../support/server-process.ts";
import { makeSeries, metricName } from "./points.ts";

const DAY = 86_400_000;
const STEP = 60_000;
/** Series that a batch of the log has points of: as many collectors write. */
const BATCH_SERIES = 500;

export interface Own extends AsyncDisposable {
  server: ServerProcess;
  /** What it is trusted by. */
  ca: string;
  owner: Owner;
  /** Adds a day's or an hour's worth of points of some series, as the log gets them: by time. */
  add(range: { from: number; to: number }, startMs: number, steps: number): Promise<void>;
  /** Makes chunks of all, and settles the days that are over. */
  compact(): Promise<void>;
  bytes(table: string): Promise<number>;
}

export async function startOwn(retentionDays: number): Promise<Own> {
  const retention = retentionDays * DAY;
  await using started = new AsyncDisposableStack();
  const database = started.use(await migratedDatabase());
  const days = `${retentionDays}d`;
  const flags = [
    ...["--series-limit", "2000000", "--retention", days],
    ...["--five-minute-retention", days, "--hourly-retention", days],
  ];
  const server = started.use(await startServerProcess(database.url, { flags }));
  const ca = await readFile(server.caFile, "utf8");
  const owner = await setUp(server);
  const connection = started.use(
    connectDatabase({ url: server.databaseUrl }, { log: silentLog, connections: 4 }),
  );
  const resolver = makeSeriesResolver(connection.db, systemClock);
  const ids = new Map<number, number>();
  const packer = makeBatchPacker();
  const packing = started.use(makePackingThread());
  const reader = chunkReader({
    db: connection.db,
    packing,
    log: silentLog,
    clock: systemClock,
    retentionMs: retention,
    patience: { ms: -DAY, bytes: 0 },
    compaction: { graceMs: 0, quietMs: -DAY },
  });

  const resolve = async (from: number, to: number) => {
    for (let at = from; at < to; at += 10_000) {
      const indexes = Array.from({ length: Math.min(10_000, to - at) }, (_, more) => at + more);
      const missing = indexes.filter((index) => !ids.has(index));
      if (missing.length === 0) continue;
      const found = await resolver.resolve(
        owner.workspaceId,
        missing.map((index) => ({
          metric: metricName(index),
          labels: Object.entries(makeSeries(index).labels).sort(),
        })),
      );
      for (const [place, index] of missing.entries()) ids.set(index, found[place] as number);
    }
  };

  const stack = started.move();
  return {
    server,
    ca,
    owner,
    async add({ from, to }, startMs, steps) {
      await resolve(from, to);
      for (let first = from; first < to; first += BATCH_SERIES) {
        const all = Array.from({ length: Math.min(BATCH_SERIES, to - first) }, (_, more) => ({
          id: ids.get(first + more) as number,
          values: makeSeries(first + more).values(steps),
        }));
        // An hour to a segment, as a collector that catches up sends it.
        for (let begin = 0; begin < steps; begin += 60) {
          packer.begin({ senderId: "bench", batchId: "", clockOffsetMs: 0 });
          for (const { id, values } of all) {
            const hour = values.subarray(begin, begin + 60);
            const times = hour.map((_, step) => startMs + (begin + step) * STEP);
            packer.run(id, hour.length, times, hour);
          }
          const packed = packer.finish();
          if (!packed) continue;
          await connection.pool.query(
            `insert into segments (workspace_id, start_ms, end_ms, points, body)
             values ($1, $2, $3, $4, $5)`,
            [owner.workspaceId, packed.startMs, packed.endMs, packed.points, joinSegment([packed])],
          );
        }
      }
    },
    async compact() {
      const options = { ...connection, log: silentLog, clock: systemClock };
      const going = new AbortController().signal;
      const { pool } = connection;
      for (;;) {
        await pool.query("update readers set due_at = wall_clock()");
        await takeTurn(reader, options, going);
        const { rows } = await pool.query<{ left: boolean }>(
          `select exists (
             select 1 from segments join readers using (workspace_id)
             where not pg_visible_in_snapshot(transaction_id, seen)
           ) or exists (
             select 1 from fresh_chunks
             where window_start + $1 < extract(epoch from wall_clock()) * 1000
           ) as left`,
          [DAY],
        );
        if (!rows[0]?.left) break;
      }
      await pool.query("truncate segments");
      await pool.query("vacuum analyze");
    },
    async bytes(table) {
      const { rows } = await connection.pool.query<{ bytes: number }>(
        `select coalesce(sum(pg_total_relation_size(relid)), 0)::float8 as bytes
         from pg_partition_tree($1)`,
        [table],
      );
      return rows[0]?.bytes ?? 0;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
