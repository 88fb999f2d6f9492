import { type Kysely, sql } from "kysely";

/** What Lumetry watches by itself: settings of workspaces, and where the watching stands. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    -- How a workspace has set a kind; what is null is as Lumetry comes with it.
    create table system_alert_settings (
      workspace_id text not null references workspaces,
      system_kind text not null,
      enabled boolean,
      severity text check (severity in ('info', 'warning', 'critical')),
      -- heartbeats, milliseconds or percent, as the kind has it
      threshold double precision,
      hold_down_ms bigint,
      recovery_ms bigint,
      primary key (workspace_id, system_kind)
    );

    -- Whoever holds the row's lock looks after the workspace, one round at a time.
    create table system_alert_watches (
      workspace_id text primary key references workspaces,
      due_at timestamptz not null default wall_clock(),
      looked_at timestamptz not null default wall_clock(),
      -- since when there is no gap in the watching: before that, silence may have been the servers' own
      watched_since timestamptz not null default wall_clock()
    ) with (fillfactor = 50);

    -- Firing system alerts of which all is well at present.
    create table system_alert_recoveries (
      workspace_id text not null,
      alert_id text not null,
      clear_since timestamptz not null default wall_clock(),
      primary key (workspace_id, alert_id),
      foreign key (workspace_id, alert_id) references alerts on delete cascade
    );

    -- What servers serve TLS with; each server says so again and again.
    create table server_certificates (
      fingerprint text primary key,
      names text not null,
      starts_at timestamptz not null,
      expires_at timestamptz not null,
      seen_at timestamptz not null default wall_clock()
    );
  `.execute(db);
}
