import { randomUUID } from "node:crypto";
import type pg from "pg";
import { type Database, fromNow } from "../db/database.ts";
import type { Queries } from "../db/transaction.ts";
import { advance, formatSnapshot, parseSnapshot } from "./snapshot.ts";

/** The right to move one reader's place in one workspace's log, until somebody else has it. */
export interface Lease {
  reader: string;
  workspaceId: string;
  /** Higher for each lease than for the one before. */
  fence: bigint;
}

/** One row of the log. */
export interface UnseenSegment {
  segmentId: bigint;
  transactionId: bigint;
  /** In whole ms since 1970. */
  arrivedMs: number;
  body: Buffer;
}

/** Whole transactions, in the order of their ids, that the reader has not seen. */
export interface Portion {
  segments: UnseenSegment[];
  /** What is seen once they are dealt with. */
  seen: string;
  /** Nothing else was there at `at`, on the database's clock. */
  complete: boolean;
  at: Date;
}

/** Most rows looked at for one portion; those of one transaction always stay together. */
const MOST_ROWS = 4096;
/** What a row costs besides its bytes. */
const ROW_BYTES = 1024;

/** What a snapshot does not see of a workspace's log; the index finds the start of it. */
const UNSEEN = `workspace_id = $1 and transaction_id >= pg_snapshot_xmin($2::pg_snapshot)
  and not pg_visible_in_snapshot(transaction_id, $2::pg_snapshot)`;

/** Gives each workspace a place for the reader, at the start of its log. */
export async function enterReader(pool: pg.Pool, reader: string): Promise<void> {
  // Every server asks all the time, so that it is planned once for each connection.
  await pool.query({
    name: "enter-reader",
    text: `
      insert into readers (workspace_id, reader)
      select workspace_id, $1::text from workspaces
      where not exists (
        select 1 from readers
        where readers.workspace_id = workspaces.workspace_id and readers.reader = $1
      )
      on conflict do nothing`,
    values: [reader],
  });
}

/** This process, among those that read a log. */
const SELF = randomUUID();

/** What is unseen at a row of readers. */
const UNSEEN_THERE = `segments.workspace_id = readers.workspace_id
  and transaction_id >= pg_snapshot_xmin(readers.seen)
  and not pg_visible_in_snapshot(transaction_id, readers.seen)`;

const later = (ms: string) => `wall_clock() + ${ms}::float8 * interval '1 millisecond'`;
const CLAIM = `
  with next as (
    select workspace_id from readers
    where reader = $1 and (leased_until <= wall_clock() or holder = $2) and (
      due_at <= wall_clock()
      or not (turn_at > ${later("-$3")} and turn_at <= wall_clock()) and (
        exists (
          -- Asked once, not for each row.
          select 1 from segments where ${UNSEEN_THERE} and arrived_at <= (select ${later("-$4")})
        )
        or (
          select sum(octet_length(body) + ${ROW_BYTES}) from segments where ${UNSEEN_THERE}
        ) >= $5::float8
      )
    )
    order by turn_at limit 1 for no key update skip locked
  )
  update readers set
    fence = fence + 1, turn_at = wall_clock(), leased_until = ${later("$6")}, holder = null
  from next
  where readers.reader = $1 and readers.workspace_id = next.workspace_id
  returning readers.workspace_id, fence`;

/**
 * Leases the place of a reader in the workspace that has waited longest: where there is something
 * unseen, as old as `patience.ms` or as much as `patience.bytes`, and no turn began within `pauseMs`; or where
 * other work is due. Every server asks all the time, so that the statement is planned once for each connection.
 */
export async function claimLease(
  pool: pg.Pool,
  reader: string,
  patience: { ms: number; bytes: number },
  leaseMs: number,
  pauseMs = 0,
): Promise<Lease | undefined> {
  const { rows } = await pool.query<{ workspace_id: string; fence: bigint }>({
    name: "claim-lease",
    text: CLAIM,
    values: [reader, SELF, pauseMs, patience.ms, patience.bytes, leaseMs],
  });
  const [row] = rows;
  return row && { reader, workspaceId: row.workspace_id, fence: row.fence };
}

/** Makes a lease last from now on; false when somebody else has it. */
export async function renewLease(db: Database, lease: Lease, leaseMs: number): Promise<boolean> {
  const { numUpdatedRows } = await ofLease(db, lease)
    .set({ leased_until: fromNow(leaseMs) })
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/**
 * Gives a lease back; the reader has other work to do when `dueInMs` is over. For `keptMs` this process may
 * take it again, and no other.
 */
export async function endLease(
  db: Database,
  lease: Lease,
  dueInMs: number | undefined,
  keptMs = 0,
): Promise<void> {
  await ofLease(db, lease)
    .set({
      leased_until: fromNow(keptMs),
      holder: keptMs > 0 ? SELF : null,
      due_at: dueInMs === undefined ? null : fromNow(dueInMs),
    })
    .execute();
}

/** The row of the lease, locked until the transaction ends; false when somebody else has it. */
export async function holdLease(transaction: Database, lease: Lease): Promise<boolean> {
  const row = await transaction
    .selectFrom("readers")
    .select("fence")
    .where("workspace_id", "=", lease.workspaceId)
    .where("reader", "=", lease.reader)
    .where("fence", "=", lease.fence)
    .forNoKeyUpdate()
    .executeTakeFirst();
  return row !== undefined;
}

/** Moves the place; to be called while the lease is held. */
export async function movePlace(
  transaction: Database,
  lease: Lease,
  { seen, complete, at }: Portion,
): Promise<void> {
  await ofLease(transaction, lease)
    .set({ seen, ...(complete && { read_through: at }) })
    .execute();
}

const ofLease = (db: Database, { reader, workspaceId, fence }: Lease) =>
  db
    .updateTable("readers")
    .where("workspace_id", "=", workspaceId)
    .where("reader", "=", reader)
    .where("fence", "=", fence);

/** How a reader wants its portions; see Reader. */
interface Wishes {
  portionBytes: number;
  passesOver?(snapshot: Queries, workspaceId: string): Promise<boolean>;
}

/** What the reader has not seen, about as many bytes as it wants, at one moment. */
export async function readPortion(pool: pg.Pool, lease: Lease, reader: Wishes): Promise<Portion> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query("begin transaction isolation level repeatable read read only");
    return await readWith(client, lease, reader);
  } finally {
    await client.query("rollback").catch((error: Error) => {
      broken = error;
    });
    client.release(broken);
  }
}

async function readWith(client: pg.PoolClient, lease: Lease, wishes: Wishes): Promise<Portion> {
  const { workspaceId, reader } = lease;
  const { rows } = await client.query<{ seen: string; now: string; at: Date }>(
    `select seen::text, pg_current_snapshot()::text as now, wall_clock() as at from readers
     where workspace_id = $1 and reader = $2`,
    [workspaceId, reader],
  );
  const [place] = rows;
  if (!place) throw new Error(`the reader ${reader} has no place in ${workspaceId}`);
  if (await wishes.passesOver?.(client, workspaceId)) {
    return { segments: [], seen: place.now, complete: true, at: place.at };
  }
  const heads = await client.query<{ id: string; bytes: number }>(
    `select transaction_id::text as id, octet_length(body) as bytes from segments
     where ${UNSEEN} order by transaction_id fetch first ${MOST_ROWS} rows with ties`,
    [workspaceId, place.seen],
  );
  const through = cutAfter(heads.rows, wishes.portionBytes);
  const complete = through === undefined && heads.rows.length < MOST_ROWS;
  const last = through ?? heads.rows.at(-1)?.id;
  const seen =
    complete || last === undefined
      ? place.now
      : formatSnapshot(advance(parseSnapshot(place.seen), parseSnapshot(place.now), BigInt(last)));
  if (last === undefined) return { segments: [], seen, complete, at: place.at };
  const found = await client.query<{
    segment_id: string;
    id: string;
    arrived_ms: number;
    body: Buffer;
  }>(
    `select segment_id::text, transaction_id::text as id,
       floor(1000 * extract(epoch from arrived_at))::float8 as arrived_ms, body from segments
     where ${UNSEEN} and transaction_id <= $3::xid8 order by transaction_id, segment_id`,
    [workspaceId, place.seen, last],
  );
  const segments = found.rows.map(({ segment_id, id, arrived_ms, body }) => ({
    segmentId: BigInt(segment_id),
    transactionId: BigInt(id),
    arrivedMs: arrived_ms,
    body,
  }));
  return { segments, seen, complete, at: place.at };
}

/** The id of the transaction with which there are enough bytes; undefined when all of them fit. */
function cutAfter(rows: { id: string; bytes: number }[], most: number): string | undefined {
  let sum = 0;
  for (const [index, { id, bytes }] of rows.entries()) {
    sum += bytes + ROW_BYTES;
    const next = rows[index + 1];
    if (sum >= most && next && next.id !== id) return id;
  }
  return undefined;
}
