import type { Queries } from "../db/transaction.ts";

/** One row of the log to be. */
export interface NewSegment {
  workspaceId: string;
  startMs: number;
  endMs: number;
  points: number;
  body: Buffer;
}

/** What makes a batch known, and the answer to it. */
export interface BatchKey {
  workspaceId: string;
  senderId: string;
  batchId: string;
}

export interface BatchRecord extends BatchKey {
  accepted: number;
  /** The encoded answer; empty when nothing was refused. */
  answer: Buffer;
}

/** The constraint that a batch breaks when it is in the log already. */
export const KNOWN_BATCH = "a_batch_counts_once";

/** Bytes go as one parameter, in binary form, and are cut apart by the database. */
function joinBytes(parts: readonly Buffer[]) {
  const from: number[] = [];
  let next = 1;
  for (const part of parts) {
    from.push(next);
    next += part.length;
  }
  const [first] = parts;
  // Usually there is one, of some size.
  const all = first && parts.length === 1 ? first : Buffer.concat(parts);
  return { all, from, lengths: parts.map((part) => part.length) };
}

/**
 * Puts segments and the keys of their batches into the log: one statement, one transaction, one
 * round trip. The keys come first, so that a statement which fails for one leaves no bytes behind.
 */
export async function insertSegments(
  pool: Queries,
  segments: readonly NewSegment[],
  batches: readonly BatchRecord[],
): Promise<void> {
  const bodies = joinBytes(segments.map(({ body }) => body));
  const answers = joinBytes(batches.map(({ answer }) => answer));
  await pool.query({
    name: "insert-segments",
    text: `
      with segment as (
        insert into segments (workspace_id, start_ms, end_ms, points, body)
        select workspace_id, start_ms, end_ms, points, substr($1::bytea, body_from, body_length)
        from unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::int[], $7::int[])
          as given (workspace_id, start_ms, end_ms, points, body_from, body_length)
      )
      insert into batches (workspace_id, sender_id, batch_id, accepted, answer)
      select workspace_id, sender_id, batch_id, accepted,
        substr($8::bytea, answer_from, answer_length)
      from unnest($9::text[], $10::text[], $11::text[], $12::bigint[], $13::int[], $14::int[])
        as given (workspace_id, sender_id, batch_id, accepted, answer_from, answer_length)`,
    values: [
      bodies.all,
      segments.map(({ workspaceId }) => workspaceId),
      segments.map(({ startMs }) => startMs),
      segments.map(({ endMs }) => endMs),
      segments.map(({ points }) => points),
      bodies.from,
      bodies.lengths,
      answers.all,
      batches.map(({ workspaceId }) => workspaceId),
      batches.map(({ senderId }) => senderId),
      batches.map(({ batchId }) => batchId),
      batches.map(({ accepted }) => accepted),
      answers.from,
      answers.lengths,
    ],
  });
}

/** Those of the batches that are in the log, with the answers they got. */
export async function findBatches(
  pool: Queries,
  keys: readonly BatchKey[],
): Promise<BatchRecord[]> {
  const { rows } = await pool.query<{
    workspace_id: string;
    sender_id: string;
    batch_id: string;
    accepted: bigint;
    answer: Buffer;
  }>({
    name: "find-batches",
    text: `
      select batches.* from batches
      join unnest($1::text[], $2::text[], $3::text[]) as given (workspace_id, sender_id, batch_id)
        using (workspace_id, sender_id, batch_id)`,
    values: [
      keys.map(({ workspaceId }) => workspaceId),
      keys.map(({ senderId }) => senderId),
      keys.map(({ batchId }) => batchId),
    ],
  });
  return rows.map((row) => ({
    workspaceId: row.workspace_id,
    senderId: row.sender_id,
    batchId: row.batch_id,
    accepted: Number(row.accepted),
    answer: row.answer,
  }));
}
