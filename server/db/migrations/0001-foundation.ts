import { type Kysely, sql } from "kysely";

/**
 * Every table's key starts with the workspace, so that a distributed PostgreSQL can shard on it.
 * Secrets are looked up by their SHA-256 alone, before the workspace is known.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    -- The only clock of all SQL. A test shifts it with: alter database … set lumetry.clock_shift.
    create function wall_clock() returns timestamptz language sql volatile parallel safe as $$
      select clock_timestamp()
        + coalesce(nullif(current_setting('lumetry.clock_shift', true), ''), '0')::interval
    $$;

    create function forbid_change() returns trigger language plpgsql as $$
      begin raise exception '% is append-only', tg_table_name; end
    $$;

    create table deployment (
      one_row boolean primary key default true check (one_row),
      deployment_id text not null,
      setup_hash bytea,
      setup_completed_at timestamptz
    );

    create table workspaces (
      workspace_id text primary key,
      display_name text not null,
      series_limit bigint not null,
      series_count bigint not null default 0,
      created_at timestamptz not null default wall_clock(),
      constraint series_stay_within_the_limit check (series_count <= series_limit)
    );

    create table users (
      workspace_id text not null references workspaces,
      user_id text not null,
      email text not null,
      display_name text not null,
      role text not null check (role in ('viewer', 'operator', 'admin', 'owner')),
      password_hash text,
      disabled boolean not null default false,
      invitation_hash bytea,
      invitation_expires_at timestamptz,
      created_at timestamptz not null default wall_clock(),
      last_sign_in_at timestamptz,
      primary key (workspace_id, user_id),
      constraint one_invitation_each unique (invitation_hash)
    );
    create unique index one_user_per_email on users (lower(email));

    create table sessions (
      secret_hash bytea primary key,
      workspace_id text not null,
      user_id text not null,
      created_at timestamptz not null default wall_clock(),
      expires_at timestamptz not null,
      foreign key (workspace_id, user_id) references users on delete cascade
    );
    create index sessions_of_a_user on sessions (workspace_id, user_id);
    create index sessions_by_end on sessions (expires_at);

    create table access_tokens (
      workspace_id text not null,
      access_token_id text not null,
      user_id text not null,
      display_name text not null,
      role text not null check (role in ('viewer', 'operator', 'admin', 'owner')),
      secret_hash bytea not null,
      created_at timestamptz not null default wall_clock(),
      expires_at timestamptz not null,
      revoked_at timestamptz,
      primary key (workspace_id, access_token_id),
      foreign key (workspace_id, user_id) references users on delete cascade,
      constraint one_token_per_secret unique (secret_hash)
    );

    create table ingestion_keys (
      workspace_id text not null references workspaces,
      ingestion_key_id text not null,
      display_name text not null,
      labels jsonb not null default '{}',
      secret_hash bytea not null,
      created_at timestamptz not null default wall_clock(),
      expires_at timestamptz,
      revoked_at timestamptz,
      primary key (workspace_id, ingestion_key_id),
      constraint one_key_per_secret unique (secret_hash)
    );

    create table zones (
      workspace_id text not null references workspaces,
      zone_id text not null,
      display_name text not null,
      allowed_networks text[] not null default '{}',
      created_at timestamptz not null default wall_clock(),
      primary key (workspace_id, zone_id)
    );
    create unique index one_zone_per_name on zones (workspace_id, lower(display_name));

    -- A collector or an agent: one identity that lives outside and calls in.
    create table edges (
      workspace_id text not null,
      edge_id text not null,
      kind text not null check (kind in ('collector', 'agent')),
      zone_id text not null,
      display_name text not null,
      status text not null
        check (status in ('pending', 'active', 'duplicate_suspected', 'revoked')),
      created_at timestamptz not null default wall_clock(),
      -- enrollment
      enroll_nonce_hash bytea,
      enrolled_at timestamptz,
      host jsonb,
      rotation_requested_at timestamptz,
      revoked_at timestamptz,
      -- the last heartbeat
      last_seen_at timestamptz,
      version text not null default '',
      clock_skew_ms double precision,
      queue jsonb,
      declared_capabilities text[] not null default '{}',
      warnings text[] not null default '{}',
      running_revision bigint not null default 0,
      -- duplicate detection
      suspected_at timestamptz,
      suspected_last_at timestamptz,
      suspected_returned text,
      suspected_replacement text,
      -- configuration
      latest_revision bigint not null default 0,
      primary key (workspace_id, edge_id),
      constraint edges_belong_to_zones foreign key (workspace_id, zone_id) references zones,
      constraint enrolled_unless_pending check
        (status in ('pending', 'revoked') or enrolled_at is not null),
      constraint suspicion_has_evidence check
        ((status = 'duplicate_suspected') = (suspected_at is not null))
    );
    create index edges_by_age on edges (workspace_id, kind, created_at desc, edge_id desc);

    -- pending → active ⇄ duplicate_suspected; all → revoked, which is final.
    create function check_edge_transition() returns trigger language plpgsql as $$
      begin
        if old.status = new.status
          or (old.status, new.status) in (('pending', 'active'),
            ('active', 'duplicate_suspected'), ('duplicate_suspected', 'active'))
          or (new.status = 'revoked' and old.status <> 'revoked')
        then return new; end if;
        raise exception 'a % cannot go from % to %', old.kind, old.status, new.status
          using errcode = 'check_violation', constraint = 'edge_transitions';
      end
    $$;
    create trigger edge_transitions before update of status on edges
      for each row execute function check_edge_transition();

    -- What only collectors have.
    create table collectors (
      workspace_id text not null,
      collector_id text not null,
      granted_capabilities text[] not null default '{}',
      token_hash bytea,
      token_expires_at timestamptz,
      primary key (workspace_id, collector_id),
      foreign key (workspace_id, collector_id) references edges,
      constraint one_collector_per_token unique (token_hash)
    );

    -- pending: issued and not used yet. active: in use. ended: replaced, void or revoked.
    create table edge_credentials (
      workspace_id text not null,
      credential_id text not null,
      edge_id text not null,
      state text not null check (state in ('pending', 'active', 'ended')),
      secret_hash bytea not null,
      created_at timestamptz not null default wall_clock(),
      confirm_by timestamptz,
      -- when it was first used
      confirmed_at timestamptz,
      ended_at timestamptz,
      primary key (workspace_id, credential_id),
      foreign key (workspace_id, edge_id) references edges,
      constraint one_credential_per_secret unique (secret_hash)
    );
    create unique index one_active_credential on edge_credentials (workspace_id, edge_id)
      where state = 'active';
    create unique index one_pending_credential on edge_credentials (workspace_id, edge_id)
      where state = 'pending';

    create table edge_processes (
      workspace_id text not null,
      edge_id text not null,
      process_id text not null,
      hostname text not null,
      address text not null,
      version text not null,
      sequence bigint not null,
      first_seen_at timestamptz not null,
      last_seen_at timestamptz not null,
      -- the nonce of the last reply to it
      nonce text not null,
      -- when another process took its place
      superseded_at timestamptz,
      primary key (workspace_id, edge_id, process_id),
      foreign key (workspace_id, edge_id) references edges
    );

    create table edge_drops (
      workspace_id text not null,
      edge_id text not null,
      drop_number bigint generated always as identity,
      -- a queue that was made anew counts from one again
      queue_id text not null,
      drop_id bigint not null,
      started_at timestamptz,
      ended_at timestamptz,
      points bigint not null,
      reason text not null,
      received_at timestamptz not null default wall_clock(),
      primary key (workspace_id, edge_id, drop_number),
      constraint a_drop_counts_once unique (workspace_id, edge_id, queue_id, drop_id),
      foreign key (workspace_id, edge_id) references edges
    );
    create index drops_by_arrival on edge_drops (workspace_id, edge_id, received_at);

    create table edge_configs (
      workspace_id text not null,
      edge_id text not null,
      revision bigint not null check (revision > 0),
      document text not null,
      published_at timestamptz not null default wall_clock(),
      published_by text not null,
      reverted_from bigint not null default 0,
      offered_at timestamptz,
      acknowledged_at timestamptz,
      outcome text check (outcome in ('applied', 'rejected')),
      reason text not null default '',
      ignored_keys text[] not null default '{}',
      primary key (workspace_id, edge_id, revision),
      foreign key (workspace_id, edge_id) references edges
    );

    create table audit_events (
      workspace_id text not null references workspaces,
      audit_event_id bigint generated always as identity,
      happened_at timestamptz not null default wall_clock(),
      actor_kind text not null,
      actor_id text not null,
      actor_name text not null,
      action text not null,
      target_id text not null,
      target_name text not null,
      address text not null,
      request_id text not null,
      details jsonb not null default '{}',
      primary key (workspace_id, audit_event_id)
    );
    create trigger audit_is_append_only before update or delete or truncate on audit_events
      for each statement execute function forbid_change();

    create table metrics (
      workspace_id text not null references workspaces,
      metric text not null,
      kind text not null default 'unspecified' check (kind in ('unspecified', 'gauge', 'counter')),
      unit text not null default '',
      description text not null default '',
      series_count bigint not null default 0,
      first_seen_at timestamptz not null default wall_clock(),
      primary key (workspace_id, metric)
    );

    create table series (
      workspace_id text not null,
      series_id bigint generated always as identity,
      metric text not null,
      labels jsonb not null,
      -- SHA-256 of the metric and the sorted labels
      fingerprint bytea not null,
      first_seen_at timestamptz not null default wall_clock(),
      primary key (workspace_id, series_id),
      foreign key (workspace_id, metric) references metrics,
      constraint one_series_per_fingerprint unique (workspace_id, fingerprint)
    );
    create index series_of_a_metric on series (workspace_id, metric);

    -- The log: a row for each commit and workspace, its points packed in columns.
    create table segments (
      workspace_id text not null,
      segment_id bigint generated always as identity,
      arrived_at timestamptz not null default wall_clock(),
      -- a reader follows transactions, not numbers: a lower number may commit later
      transaction_id xid8 not null default pg_current_xact_id(),
      start_ms bigint not null,
      end_ms bigint not null,
      points bigint not null,
      -- packed already: to compress it again costs more than it saves
      body bytea storage external not null,
      primary key (workspace_id, arrived_at, segment_id)
    ) partition by range (arrived_at);
    -- A narrow segment ends within two hours of its start, so an index on the end finds it.
    create index segments_by_time on segments (workspace_id, end_ms, start_ms);
    create index wide_segments_by_time on segments (workspace_id, end_ms, start_ms)
      where end_ms - start_ms > 7200000;
    -- Takes what arrives while a day has no partition of its own.
    create table segments_default partition of segments default;

    -- What makes a retry harmless: a batch is in the log if and only if its key is here,
    -- for as long as the horizon of seven days.
    create table batches (
      workspace_id text not null,
      sender_id text not null,
      batch_id text not null,
      arrived_at timestamptz not null default wall_clock(),
      accepted bigint not null,
      -- the encoded answer, given again to a repeat; empty when nothing was refused
      answer bytea not null,
      constraint a_batch_counts_once primary key (workspace_id, sender_id, batch_id)
    );
    create index batches_by_arrival on batches (arrived_at);
  `.execute(db);
}
