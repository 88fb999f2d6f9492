import { sql } from "kysely";
import type { Database } from "./database.ts";

/** Waiting for a lock on a table that is written to holds its writers up; better to come again. */
const LOCK_TIMEOUT = "500ms";
const LOCK_ATTEMPTS = 5;
/** Any number that nothing else locks. */
const ADVISORY_LOCK = 6_018_274_411;

/** One transaction that no other server does at the same time, and that waits for no lock for long. */
export async function alone(
  db: Database,
  work: (transaction: Database) => Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await db.transaction().execute(async (transaction) => {
        await sql`select pg_advisory_xact_lock(${ADVISORY_LOCK}::bigint)`.execute(transaction);
        await sql`set local lock_timeout = ${sql.lit(LOCK_TIMEOUT)}`.execute(transaction);
        await work(transaction);
      });
      return;
    } catch (error) {
      const lockTaken = (error as { code?: unknown }).code === "55P03";
      if (!lockTaken || attempt === LOCK_ATTEMPTS) throw error;
    }
  }
}

/** Read from the table itself: what to_regclass knows may be from before a transaction waited. */
export async function hasTable(db: Database, name: string): Promise<boolean> {
  const { rows } = await sql`
    select 1 from pg_class where relname = ${name} and pg_table_is_visible(oid)
  `.execute(db);
  return rows.length > 0;
}

/**
 * Makes a partition for values from one bound up to but without another, if it is not there; `fill`
 * may put rows into it before it is attached. To be called alone.
 */
export async function attachPartition(
  transaction: Database,
  partition: { of: string; name: string; from: string | number; to: string | number },
  fill: () => Promise<void> = async () => {},
): Promise<void> {
  const { of, name, from, to } = partition;
  if (await hasTable(transaction, name)) return;
  // Attached, not created as a partition: that would lock out everybody who reads or writes.
  await sql`
    create table ${sql.table(name)} (like ${sql.table(of)}
      including defaults including constraints including indexes including storage)
  `.execute(transaction);
  await fill();
  await sql`
    alter table ${sql.table(of)} attach partition ${sql.table(name)}
      for values from (${sql.lit(from)}) to (${sql.lit(to)})
  `.execute(transaction);
}

/** The names of a table's partitions. */
export async function listPartitions(db: Database, of: string): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select relid::regclass::text as name from pg_partition_tree(${of}) where isleaf
  `.execute(db);
  return rows.map(({ name }) => name);
}

export async function dropPartition(db: Database, name: string): Promise<void> {
  await alone(db, async (transaction) => {
    await sql`drop table if exists ${sql.table(name)}`.execute(transaction);
  });
}
