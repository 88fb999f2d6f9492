import { sql } from "kysely";
import type { Database } from "../db/database.ts";
import { alone } from "../db/partitions.ts";

/**
 * Places are told in PostgreSQL's transaction ids, and these begin again in a database that was
 * restored from a dump: what is written from then on would look as if it had been read. So the log and
 * the places are told anew, in this database's ids. What some reader had not read is read again by all.
 * To be called before anything is written. Answers whether there was something to do.
 */
export async function adoptRestoredLog(db: Database): Promise<boolean> {
  if (!(await isFromElsewhere(db))) return false;
  await alone(db, async (transaction) => {
    if (!(await isFromElsewhere(transaction))) return;
    const unread = sql`exists (
      select 1 from readers where readers.workspace_id = segments.workspace_id
        and not pg_visible_in_snapshot(segments.transaction_id, readers.seen)
    )`;
    await sql`delete from segments where not ${unread}
      and exists (select 1 from readers where readers.workspace_id = segments.workspace_id)
    `.execute(transaction);
    await sql`update segments set transaction_id = pg_current_xact_id()`.execute(transaction);
    await sql`
      update readers set
        seen = format('%s:%s:', pg_current_xact_id(), pg_current_xact_id())::pg_snapshot,
        fence = fence + 1, leased_until = wall_clock()
    `.execute(transaction);
  });
  return true;
}

async function isFromElsewhere(db: Database): Promise<boolean> {
  const { rows } = await sql<{ elsewhere: boolean }>`
    select exists (
      select 1 from readers
      where pg_snapshot_xmax(seen) > pg_snapshot_xmax(pg_current_snapshot())
    ) or exists (
      select 1 from segments where transaction_id > pg_snapshot_xmax(pg_current_snapshot())
        and workspace_id in (select workspace_id from readers)
    ) as elsewhere
  `.execute(db);
  return rows[0]?.elsewhere ?? false;
}
