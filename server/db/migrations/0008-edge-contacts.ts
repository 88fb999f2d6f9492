import { type Kysely, sql } from "kysely";

/** When collectors and agents were heard of. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    -- A time in which heartbeats came without a long pause; the latest of an edge is still growing.
    create table edge_contacts (
      workspace_id text not null,
      edge_id text not null,
      contact_number bigint generated always as identity,
      started_at timestamptz not null default wall_clock(),
      ended_at timestamptz not null default wall_clock(),
      heartbeats bigint not null default 1,
      primary key (workspace_id, edge_id, contact_number),
      foreign key (workspace_id, edge_id) references edges
    -- No index on ended_at: each heartbeat changes it, in place.
    ) with (fillfactor = 50);
  `.execute(db);
}
