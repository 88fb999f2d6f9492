import type pg from "pg";
import { CHUNKS } from "../chunks/names.ts";
import { bucketOf, WINDOW_MS, windowOf } from "../chunks/windows.ts";
import { type ReadBudget, readPortions } from "../db/portions.ts";
import type { Span } from "./rules.ts";

/** Where blocks of some series are looked for: from one window on, up to but without another. */
export interface Search {
  windows: Span;
  buckets: readonly number[];
  firstSeries: number;
  lastSeries: number;
}

/** What may be at a place, by day and bucket. */
export type PlaceKey = `${number} ${number}`;
export const placeKey = (windowStart: number, bucket: number): PlaceKey =>
  `${windowStart} ${bucket}`;

export interface FoundBlock {
  window_start: number;
  bucket: number;
  body: Buffer;
}

/** Everything that is stored of one workspace's points, as it was at one moment. */
export interface PointsView {
  /**
   * What of the log is not in chunks yet: the bodies of segments with points from `startMs` up to
   * but without `endMs`, and with others besides, in order of arrival.
   */
  unread(span: Span, budget: ReadBudget): AsyncIterable<Buffer>;
  /** The places where chunks were written that are not settled, or not again. */
  freshPlaces(search: Search): Promise<Set<PlaceKey>>;
  /** Chunks that overlap a span; of several with the same point the first to arrive comes first. */
  chunks(search: Search, span: Span, budget: ReadBudget): AsyncIterable<FoundBlock>;
  rollups(
    table: "rollups_5m" | "rollups_1h",
    search: Search,
    budget: ReadBudget,
  ): AsyncIterable<FoundBlock>;
}

/** Where the blocks of some series are that touch a span. */
export function searchFor(seriesIds: ReadonlySet<number>, { startMs, endMs }: Span): Search {
  let firstSeries = Number.POSITIVE_INFINITY;
  let lastSeries = 0;
  const buckets = new Set<number>();
  for (const seriesId of seriesIds) {
    if (seriesId < firstSeries) firstSeries = seriesId;
    if (seriesId > lastSeries) lastSeries = seriesId;
    buckets.add(bucketOf(seriesId));
  }
  return {
    windows: { startMs: windowOf(startMs), endMs: windowOf(endMs - 1) + WINDOW_MS },
    buckets: [...buckets],
    firstSeries,
    lastSeries,
  };
}

const OVERLAPPING = `workspace_id = $1 and window_start >= $2 and window_start < $3
  and bucket = any($4::bigint[]) and first_series <= $6 and last_series >= $5`;

/** Looks at the points of one workspace: everything that `work` reads is of one moment. */
export async function viewPoints<Result>(
  pool: pg.Pool,
  workspaceId: string,
  signal: AbortSignal,
  work: (view: PointsView) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  try {
    await client.query("begin transaction isolation level repeatable read read only");
    // Before the moment is fixed, so that no part of the log goes between the two.
    await client.query("lock table segments in access share mode");
    const { rows } = await client.query<{ seen: string }>(
      `select coalesce((
         select seen::text from readers where workspace_id = $1 and reader = $2
       ), '1:1:') as seen`,
      [workspaceId, CHUNKS],
    );
    return await work(viewWith(client, workspaceId, rows[0]?.seen ?? "1:1:", signal));
  } finally {
    const broken = await client.query("rollback").then(
      () => undefined,
      (error: Error) => error,
    );
    client.release(broken);
  }
}

function viewWith(
  client: pg.PoolClient,
  workspaceId: string,
  seen: string,
  signal: AbortSignal,
): PointsView {
  const searched = ({ windows, buckets, firstSeries, lastSeries }: Search) => [
    workspaceId,
    windows.startMs,
    windows.endMs,
    buckets,
    firstSeries,
    lastSeries,
  ];
  return {
    async *unread({ startMs, endMs }, budget) {
      const query = {
        text: `select transaction_id::text as id, segment_id::text as number, body
          from segments
          where workspace_id = $1 and transaction_id >= pg_snapshot_xmin($4::pg_snapshot)
            and not pg_visible_in_snapshot(transaction_id, $4::pg_snapshot)
            and end_ms >= $2 and start_ms < $3`,
        // As the reader will have it, so that the same point stays of several at one time.
        order: "id::xid8, number::bigint",
        values: [workspaceId, startMs, endMs, seen],
      };
      for await (const { body } of readPortions(client, query, budget, signal)) yield body;
    },

    async freshPlaces(search) {
      signal.throwIfAborted();
      const { rows } = await client.query<{ window_start: number; bucket: number }>(
        `select distinct window_start::float8, bucket::float8 from fresh_chunks
         where ${OVERLAPPING}`,
        searched(search),
      );
      return new Set(rows.map((row) => placeKey(row.window_start, row.bucket)));
    },

    chunks: (search, { startMs, endMs }, budget) =>
      readPortions<FoundBlock>(
        client,
        {
          text: `select window_start::float8, bucket::float8, 999 as level,
              chunk_id::float8, body from chunks
            where ${OVERLAPPING} and end_ms >= $7 and start_ms < $8
            union all
            select window_start::float8, bucket::float8, level::int,
              chunk_id::float8, body from fresh_chunks
            where ${OVERLAPPING} and end_ms >= $7 and start_ms < $8`,
          order: "window_start, level desc, chunk_id",
          values: [...searched(search), startMs, endMs],
        },
        budget,
        signal,
      ),

    rollups: (table, search, budget) =>
      readPortions<FoundBlock>(
        client,
        {
          text: `select window_start::float8, bucket::float8, chunk_id::float8, body from ${table}
            where ${OVERLAPPING}`,
          order: "window_start, chunk_id",
          values: searched(search),
        },
        budget,
        signal,
      ),
  };
}
