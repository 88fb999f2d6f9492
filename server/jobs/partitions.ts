import { sql } from "kysely";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { startLoop } from "../../lib/loop.ts";
import { dropExpired, type Retention } from "../chunks/partitions.ts";
import type { Database } from "../db/database.ts";
import { alone, attachPartition, dropPartition } from "../db/partitions.ts";

const HOUR_MS = 3_600_000;
/** Partitions are there from today to as many days ahead. */
const DAYS_AHEAD = 3;
/** How long a key makes the retry of its batch harmless. */
const KEYS_KEPT = "7 days";
const KEYS_IN_A_STEP = 10_000;
const partitionOf = (day: string) => `segments_${day.replaceAll("-", "")}`;

/**
 * Keeps the partitions of the log: made ahead, a day each by the database's clock in UTC, and
 * dropped when their day is over and all readers have read them, or `retentionMs` after it ended at
 * the latest. Several servers may do so at once; one does the work.
 */
export async function keepPartitions(db: Database, retentionMs: number): Promise<void> {
  const { rows } = await sql<{ day: string; exists: boolean }>`
    select to_char(day, 'YYYY-MM-DD') as day,
      to_regclass('segments_' || to_char(day, 'YYYYMMDD')) is not null as exists
    from generate_series(
      date_trunc('day', wall_clock() at time zone 'UTC'),
      date_trunc('day', wall_clock() at time zone 'UTC') + ${DAYS_AHEAD} * interval '1 day',
      interval '1 day'
    ) as day
  `.execute(db);
  for (const { day, exists } of rows) if (!exists) await alone(db, (tx) => makePartition(tx, day));

  const over = await sql<{ name: string; expired: boolean }>`
    select name, day_end <= now - ${retentionMs} * interval '1 millisecond' as expired from (
      select relid::regclass::text as name, wall_clock() at time zone 'UTC' as now,
        to_date(right(relid::regclass::text, 8), 'YYYYMMDD') + 1 as day_end
      from pg_partition_tree('segments') where relid::regclass::text ~ '^segments_[0-9]{8}$'
    ) as partitions where day_end <= now
  `.execute(db);
  for (const { name, expired } of over.rows) {
    if (expired) await dropPartition(db, name);
    else if (await isRead(db, name)) await alone(db, (tx) => dropIfRead(tx, name));
  }
  await sql`
    delete from segments_default
    where arrived_at < wall_clock() - ${retentionMs} * interval '1 millisecond'
  `.execute(db);
}

/** Makes the partition of a day; what arrived before it did moves in from the default one. */
async function makePartition(transaction: Database, day: string): Promise<void> {
  const name = partitionOf(day);
  const from = `${day} 00:00:00+00`;
  const to = `${dayAfter(day)} 00:00:00+00`;
  await attachPartition(transaction, { of: "segments", name, from, to }, async () => {
    await sql`
      with moved as (
        delete from segments_default
        where arrived_at >= timestamptz ${sql.lit(from)} and arrived_at < timestamptz ${sql.lit(to)}
        returning *
      ) insert into ${sql.table(name)} select * from moved
    `.execute(transaction);
  });
}

function dayAfter(day: string): string {
  return new Date(Date.parse(day) + 24 * HOUR_MS).toISOString().slice(0, 10);
}

/** Drops a partition unless a writer that was slow has put something in that nobody has read yet. */
async function dropIfRead(transaction: Database, name: string): Promise<void> {
  await sql`lock table ${sql.table(name)} in access exclusive mode`.execute(transaction);
  if (!(await isRead(transaction, name))) return;
  await sql`drop table ${sql.table(name)}`.execute(transaction);
}

/** Whether every reader has read all of a partition; false when there is no reader. */
async function isRead(db: Database, name: string): Promise<boolean> {
  const { rows } = await sql<{ read: boolean }>`
    with names as (select distinct reader from readers),
      owners as (select distinct workspace_id from ${sql.table(name)})
    select exists (select 1 from names) and not exists (
      select 1 from names cross join owners
      left join readers using (workspace_id, reader)
      where readers.seen is null or exists (
        select 1 from ${sql.table(name)} as segments
        where segments.workspace_id = owners.workspace_id
          and not pg_visible_in_snapshot(transaction_id, readers.seen)
      )
    ) as read
  `.execute(db);
  return rows[0]?.read ?? false;
}

/** Forgets keys of batches past their horizon, in steps, so that no statement lasts long. */
export async function pruneBatches(db: Database, signal?: AbortSignal): Promise<void> {
  for (;;) {
    const { numAffectedRows = 0n } = await sql`
      delete from batches where ctid = any(array(
        select ctid from batches
        where arrived_at < wall_clock() - ${KEYS_KEPT}::interval
        order by arrived_at limit ${KEYS_IN_A_STEP}
        for update skip locked
      ))
    `.execute(db);
    if (numAffectedRows < KEYS_IN_A_STEP || signal?.aborted) return;
  }
}

/** The first partitions are there when this settles; from then on it works every hour. */
export async function startPartitionKeeper(options: {
  db: Database;
  retention: Retention;
  log: Log;
  clock: Clock;
}): Promise<AsyncDisposable> {
  const { db, retention, log, clock } = options;
  const stopping = new AbortController();
  const onError = (error: unknown) =>
    log.error({ err: error }, "partitions of points could not be made or dropped; tried again");
  // The default partition takes what arrives if this fails.
  await keepPartitions(db, retention.chunks).catch(onError);
  const loop = startLoop(
    async (signal) => {
      await keepPartitions(db, retention.chunks).catch(onError);
      await dropExpired(db, retention).catch(onError);
      await pruneBatches(db, signal);
    },
    { every: () => HOUR_MS, jitter: 0.1, signal: stopping.signal, onError, clock },
  );
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await loop.done;
    },
  };
}
