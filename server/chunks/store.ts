import { sql } from "kysely";
import type { Database } from "../db/database.ts";
import type { Block } from "./blocks.ts";
import type { SettledTable } from "./partitions.ts";
import type { Rollup } from "./rollup.ts";

/** The chunks of one workspace that hold the same series in the same day. */
export interface Place {
  workspaceId: string;
  windowStart: number;
  bucket: number;
}

export interface NewBlock extends Block {
  windowStart: number;
  bucket: number;
}

/** Bytes go as one parameter, in binary form, and are cut apart by the database. */
function given(workspaceId: string, blocks: readonly NewBlock[]) {
  const from: number[] = [];
  let next = 1;
  for (const { body } of blocks) {
    from.push(next);
    next += body.length;
  }
  return sql`
    select ${workspaceId}::text as workspace_id, window_start, bucket, first_series, last_series,
      start_ms, end_ms, points,
      substr(${Buffer.concat(blocks.map(({ body }) => body))}::bytea, body_from, body_length) as body
    from unnest(
      ${blocks.map(({ windowStart }) => windowStart)}::bigint[],
      ${blocks.map(({ bucket }) => bucket)}::bigint[],
      ${blocks.map(({ firstSeries }) => firstSeries)}::bigint[],
      ${blocks.map(({ lastSeries }) => lastSeries)}::bigint[],
      ${blocks.map(({ startMs }) => startMs)}::bigint[],
      ${blocks.map(({ endMs }) => endMs)}::bigint[],
      ${blocks.map(({ points }) => points)}::bigint[],
      ${from}::int[],
      ${blocks.map(({ body }) => body.length)}::int[]
    ) with ordinality as given (window_start, bucket, first_series, last_series, start_ms, end_ms,
      points, body_from, body_length, number)
    order by number
  `;
}

const COLUMNS = sql.raw(
  "workspace_id, window_start, bucket, first_series, last_series, start_ms, end_ms, points, body",
);

export async function insertFresh(
  transaction: Database,
  workspaceId: string,
  level: number,
  blocks: readonly NewBlock[],
): Promise<void> {
  if (blocks.length === 0) return;
  await sql`
    insert into fresh_chunks (level, ${COLUMNS})
    select ${level}::smallint, given.* from (${given(workspaceId, blocks)}) as given
  `.execute(transaction);
}

export async function insertSettled(
  transaction: Database,
  table: SettledTable,
  workspaceId: string,
  blocks: readonly NewBlock[],
): Promise<void> {
  if (blocks.length === 0) return;
  await sql`
    insert into ${sql.table(table)} (${COLUMNS}) ${given(workspaceId, blocks)}
  `.execute(transaction);
}

export interface FreshGroup {
  windowStart: number;
  bucket: number;
  level: number;
  chunks: number;
  /** Those of few points. */
  smallChunks: number;
  /** Ids that the chunks span, each for itself and added up; and all of them together. */
  series: number;
  range: number;
  /** How long ago the newest and the oldest of them were made. */
  newestAgeMs: number;
  oldestAgeMs: number;
}

/** What there is of fresh chunks in a workspace, which of them are small, and how old it is by the database's clock. */
export async function listFresh(
  db: Database,
  workspaceId: string,
  smallPoints: number,
): Promise<{ groups: FreshGroup[]; nowMs: number }> {
  const { rows } = await sql<{
    window_start: bigint;
    bucket: bigint;
    level: number;
    chunks: number;
    small_chunks: number;
    series: number;
    range: number;
    newest_age: number;
    oldest_age: number;
  }>`
    select window_start, bucket, level, count(*)::int as chunks,
      (count(*) filter (where points <= ${smallPoints}))::int as small_chunks,
      sum(last_series - first_series + 1)::float8 as series,
      (max(last_series) - min(first_series) + 1)::float8 as range,
      1000 * extract(epoch from wall_clock() - max(made_at))::float8 as newest_age,
      1000 * extract(epoch from wall_clock() - min(made_at))::float8 as oldest_age
    from fresh_chunks where workspace_id = ${workspaceId}
    group by window_start, bucket, level order by window_start, bucket, level
  `.execute(db);
  const now = await sql<{ ms: number }>`
    select 1000 * extract(epoch from wall_clock())::float8 as ms
  `.execute(db);
  return {
    nowMs: now.rows[0]?.ms ?? Number.NaN,
    groups: rows.map((row) => ({
      windowStart: Number(row.window_start),
      bucket: Number(row.bucket),
      level: row.level,
      chunks: row.chunks,
      smallChunks: row.small_chunks,
      series: row.series,
      range: row.range,
      newestAgeMs: row.newest_age,
      oldestAgeMs: row.oldest_age,
    })),
  };
}

export interface StoredBlock {
  chunkId: bigint;
  body: Buffer;
}

/** Fresh chunks of a place, the first to arrive first: of one level so many at most, or all. */
export async function findFresh(
  db: Database,
  { workspaceId, windowStart, bucket }: Place,
  only?: { level: number; most: number },
): Promise<StoredBlock[]> {
  let query = db
    .selectFrom("fresh_chunks")
    .select(["chunk_id", "body"])
    .where("workspace_id", "=", workspaceId)
    .where("window_start", "=", BigInt(windowStart))
    .where("bucket", "=", BigInt(bucket))
    .orderBy("level", "desc")
    .orderBy("chunk_id");
  if (only) query = query.where("level", "=", only.level).limit(only.most);
  return (await query.execute()).map((row) => ({ chunkId: row.chunk_id, body: row.body }));
}

export async function findSettled(
  db: Database,
  { workspaceId, windowStart, bucket }: Place,
): Promise<(StoredBlock & { startMs: number })[]> {
  const rows = await db
    .selectFrom("chunks")
    .select(["chunk_id", "start_ms", "body"])
    .where("workspace_id", "=", workspaceId)
    .where("window_start", "=", BigInt(windowStart))
    .where("bucket", "=", BigInt(bucket))
    .orderBy("first_series")
    .orderBy("start_ms")
    .execute();
  return rows.map((row) => ({
    chunkId: row.chunk_id,
    startMs: Number(row.start_ms),
    body: row.body,
  }));
}

/** Removes chunks that were merged into others; throws when one of them is not there any more. */
export async function deleteMerged(
  transaction: Database,
  table: "fresh_chunks" | "chunks",
  { workspaceId, windowStart, bucket }: Place,
  chunkIds: readonly bigint[],
): Promise<void> {
  if (chunkIds.length === 0) return;
  const { numDeletedRows } = await transaction
    .deleteFrom(table)
    .where("workspace_id", "=", workspaceId)
    .where("window_start", "=", BigInt(windowStart))
    .where("bucket", "=", BigInt(bucket))
    .where("chunk_id", "=", sql<bigint>`any(${chunkIds.map(String)}::bigint[])`)
    .executeTakeFirst();
  if (numDeletedRows !== BigInt(chunkIds.length)) {
    throw new Error(`${numDeletedRows} of ${chunkIds.length} chunks were there to be merged`);
  }
}

export async function deleteRollups(
  transaction: Database,
  table: Rollup["table"],
  { workspaceId, windowStart, bucket }: Place,
): Promise<void> {
  await transaction
    .deleteFrom(table)
    .where("workspace_id", "=", workspaceId)
    .where("window_start", "=", BigInt(windowStart))
    .where("bucket", "=", BigInt(bucket))
    .execute();
}
