import { type Kysely, sql } from "kysely";

/** What servers lack, and what receivers believe of an alert that has become worse. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    -- Encryption keys that a server does not have; each server says so again and again.
    create table server_missing_keys (
      -- of one process
      server_id text not null,
      key_id text not null,
      server_name text not null,
      seen_at timestamptz not null default wall_clock(),
      primary key (server_id, key_id)
    );

    -- The severity that was told, of an alert that has become worse since.
    alter table notification_members
      add column believed_severity text check (believed_severity in ('info', 'warning', 'critical'));
  `.execute(db);
}
