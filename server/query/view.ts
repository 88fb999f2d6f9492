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

/** The snapshot of a reader that has not begun. */
const NOTHING_SEEN = "1:1:";

/** Looks at the points of one workspace: everything that `work` reads is of one moment. */
export async function viewPoints<Result>(
  pool: pg.Pool,
  workspaceId: string,
  signal: AbortSignal,
  work: (view: PointsView) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  try {
    return await work(viewWith(client, workspaceId, await open(client, workspaceId), signal));
  } finally {
    // The answer need not wait for it.
    client.query("rollback").then(
      () => client.release(),
      (broken: Error) => client.release(broken),
    );
  }
}

/**
 * Fixes the moment, in one round trip: what chunks had been made of by then. The log is locked before, so that no part
 * of it goes between the two. Plans are kept: to make them anew, for all partitions, takes longer than most reads.
 */
async function open(client: pg.PoolClient, workspaceId: string): Promise<string> {
  const results: unknown = await client.query(
    `begin transaction isolation level repeatable read read only;
     set local plan_cache_mode = force_generic_plan;
     lock table segments in access share mode;
     select seen::text from readers
     where workspace_id = ${client.escapeLiteral(workspaceId)}
       and reader = ${client.escapeLiteral(CHUNKS)}`,
  );
  const { rows } = (results as pg.QueryResult<{ seen: string }>[]).at(-1) ?? { rows: [] };
  return rows[0]?.seen ?? NOTHING_SEEN;
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
        name: "read-unread",
        // Found by transaction: by time there may be a day of it that is read, hence the sums.
        text: `select transaction_id::text as id, segment_id::text as number, body
          from segments
          where workspace_id = $1 and transaction_id >= pg_snapshot_xmin($4::pg_snapshot)
            and not pg_visible_in_snapshot(transaction_id, $4::pg_snapshot)
            and end_ms + 0 >= $2 and start_ms + 0 < $3`,
        // As the reader will have it, so that the same point stays of several at one time.
        order: "id::xid8, number::bigint",
        values: [workspaceId, startMs, endMs, seen],
      };
      for await (const { body } of readPortions(client, query, budget, signal)) yield body;
    },

    async freshPlaces(search) {
      signal.throwIfAborted();
      const { rows } = await client.query<{ window_start: number; bucket: number }>({
        name: "find-fresh-places",
        text: `select distinct window_start::float8, bucket::float8 from fresh_chunks
            where ${OVERLAPPING}`,
        values: searched(search),
      });
      return new Set(rows.map((row) => placeKey(row.window_start, row.bucket)));
    },

    chunks: (search, { startMs, endMs }, budget) =>
      readPortions<FoundBlock>(
        client,
        {
          name: "read-chunks",
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
          name: `read-${table}`,
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
