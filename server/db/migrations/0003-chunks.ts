import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create index segments_by_transaction on segments (workspace_id, transaction_id, segment_id);

    -- The place of each reader in each workspace's log, and who may move it.
    create table readers (
      workspace_id text not null references workspaces,
      reader text not null,
      -- what this snapshot sees of the log was read; the default sees nothing
      seen pg_snapshot not null default '1:1:',
      -- all that was committed before was read
      read_through timestamptz not null default '-infinity',
      fence bigint not null default 0,
      leased_until timestamptz not null default wall_clock(),
      turn_at timestamptz not null default wall_clock(),
      -- when it has other work to do
      due_at timestamptz,
      primary key (workspace_id, reader)
    );
    create index readers_by_turn on readers (reader, turn_at);

    -- Points by series, day and bucket of series: what the log said since, merged more and more.
    -- Of a series, a lower level holds what arrived later; within a level, a higher id does.
    create table fresh_chunks (
      workspace_id text not null,
      window_start bigint not null,
      bucket bigint not null,
      level smallint not null,
      chunk_id bigint generated always as identity,
      first_series bigint not null,
      last_series bigint not null,
      start_ms bigint not null,
      end_ms bigint not null,
      points bigint not null,
      made_at timestamptz not null default wall_clock(),
      body bytea storage external not null,
      primary key (workspace_id, window_start, bucket, level, chunk_id)
    ) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 200);

    -- The same of days that are over: merged once, and again if something comes late.
    create table chunks (
      workspace_id text not null,
      window_start bigint not null,
      bucket bigint not null,
      chunk_id bigint generated always as identity,
      first_series bigint not null,
      last_series bigint not null,
      start_ms bigint not null,
      end_ms bigint not null,
      points bigint not null,
      body bytea storage external not null,
      primary key (workspace_id, window_start, bucket, chunk_id)
    ) partition by range (window_start);

    -- Steps of five minutes and of an hour, made of the chunks of a day and bucket.
    create table rollups_5m (like chunks including defaults including identity including storage,
      primary key (workspace_id, window_start, bucket, chunk_id)
    ) partition by range (window_start);
    create table rollups_1h (like chunks including defaults including identity including storage,
      primary key (workspace_id, window_start, bucket, chunk_id)
    ) partition by range (window_start);

    -- A limit may be set below what there is: then new series are refused, and those there go on.
    alter table workspaces drop constraint series_stay_within_the_limit;

    -- An archived series has had no point for as long as points are kept, and counts no more.
    alter table series
      add column last_seen_at timestamptz,
      add column archived_at timestamptz;
    create index archived_series on series (workspace_id, archived_at) where archived_at is not null;

    -- Finds the series with a label of some value, however many others there are.
    create index series_by_label on series using gin (labels jsonb_path_ops);

    create table metric_senders (
      workspace_id text not null,
      metric text not null,
      sender_id text not null,
      last_seen_at timestamptz not null,
      primary key (workspace_id, metric, sender_id),
      foreign key (workspace_id, metric) references metrics on delete cascade
    );
  `.execute(db);
}
