import { type Kysely, sql } from "kysely";

/** Sources, the collectors that poll them, and work that is leased: polls, tests, deliveries. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    -- The keys that secrets in this database are sealed under; the keys themselves are elsewhere.
    create table encryption_keys (
      key_id text primary key,
      created_at timestamptz not null default wall_clock()
    );

    create table sources (
      workspace_id text not null,
      source_id text not null,
      zone_id text not null,
      display_name text not null,
      settings jsonb not null,
      -- host and port: what the secrets are bound to
      target text not null,
      interval_ms bigint not null check (interval_ms between 5000 and 86400000),
      phase_ms bigint not null,
      timeout_ms bigint not null,
      labels jsonb not null default '{}',
      paused boolean not null default false,
      secrets bytea,
      -- which there are, without their values
      secrets_summary jsonb,
      secrets_set_at timestamptz,
      created_at timestamptz not null default wall_clock(),
      updated_at timestamptz not null default wall_clock(),
      primary key (workspace_id, source_id),
      constraint sources_belong_to_zones foreign key (workspace_id, zone_id) references zones,
      constraint phase_within_interval check (phase_ms >= 0 and phase_ms < interval_ms),
      constraint timeout_within_interval check (timeout_ms > 0 and timeout_ms <= interval_ms)
    );
    create unique index one_source_per_name on sources (workspace_id, lower(display_name));
    create index sources_of_a_zone on sources (workspace_id, zone_id);

    -- What came of a source's polls.
    create table source_polls (
      workspace_id text not null,
      source_id text not null,
      scheduled_at timestamptz,
      reported_at timestamptz,
      up boolean not null default false,
      failure text not null default '',
      duration_ms double precision,
      phases jsonb not null default '[]',
      accepted bigint not null default 0,
      refused bigint not null default 0,
      refusal text not null default '',
      failures_in_a_row bigint not null default 0,
      backing_off_until timestamptz,
      completed bigint not null default 0,
      filled bigint not null default 0,
      stale bigint not null default 0,
      primary key (workspace_id, source_id),
      foreign key (workspace_id, source_id) references sources on delete cascade
    ) with (fillfactor = 70);

    -- A collector that asks for work. Its lease holds as long as it is heard of, and with it
    -- everything that is assigned to it.
    create table workers (
      workspace_id text not null,
      collector_id text not null,
      zone_id text not null,
      process_id text not null,
      -- granted and asked for
      capabilities text[] not null,
      seen_at timestamptz not null default wall_clock(),
      lease_until timestamptz not null,
      -- false once somebody has noticed that the lease ran out
      live boolean not null default true,
      -- grows with every change of its assignments
      assignments_revision bigint not null default 0,
      -- ended assignments up to this revision are forgotten
      forgotten_revision bigint not null default 0,
      stale_reports bigint not null default 0,
      primary key (workspace_id, collector_id),
      foreign key (workspace_id, collector_id) references collectors
    ) with (fillfactor = 50);
    create index workers_of_a_zone on workers (workspace_id, zone_id);
    create index live_workers_by_lease on workers (lease_until) where live;

    -- Who polls a source, and who did; kept for as long as runs of an outage may be offered.
    create table source_assignments (
      workspace_id text not null,
      assignment_id bigint generated always as identity,
      source_id text not null,
      collector_id text not null,
      revision bigint not null,
      started_at timestamptz not null default wall_clock(),
      ended_at timestamptz,
      primary key (workspace_id, assignment_id)
    );
    create unique index one_collector_polls_a_source on source_assignments (workspace_id, source_id)
      where ended_at is null;
    create index assignments_of_a_collector
      on source_assignments (workspace_id, collector_id, revision);
    create index assignments_of_a_source on source_assignments (workspace_id, source_id, started_at);
    create index ended_assignments on source_assignments (ended_at) where ended_at is not null;

    -- Zones whose sources may have to be assigned anew. Nobody who asks waits for a planner.
    create table plan_requests (
      workspace_id text not null,
      request_id bigint generated always as identity,
      zone_id text not null,
      primary key (workspace_id, request_id)
    );

    -- One row for each thing to be done, for all of its runs and attempts.
    create table work_items (
      workspace_id text not null,
      work_id text not null,
      kind text not null check (kind in ('poll', 'test', 'deliver')),
      state text not null default 'due'
        check (state in ('due', 'claimed', 'done', 'failed', 'expired')),
      -- null for what the server does itself
      zone_id text,
      -- the source, or the delivery; empty for a test
      subject_id text not null,
      -- of a poll: the one collector that may claim it
      assigned_to text,
      -- of a poll: the slot that is next
      due_at timestamptz not null,
      -- after that it is not begun any more
      expires_at timestamptz,
      budget_ms bigint not null,
      -- of a poll: its slots
      every interval,
      origin timestamptz,
      -- of a test: what to do, sealed, until it has ended; and what came of it
      task bytea,
      result bytea,
      -- of a delivery: attempts that were reported
      attempts int not null default 0,
      skipped bigint not null default 0,
      -- claims in a row that ended without a report
      lapses int not null default 0,
      -- the claim under way, or the last one
      fence bigint not null default 0,
      claimed_by text,
      process_id text,
      claimed_at timestamptz,
      token_hash bytea,
      lease_until timestamptz,
      -- no renewal goes beyond
      lease_limit timestamptz,
      -- the token of the last report that was accepted
      spent_hash bytea,
      ended_at timestamptz,
      primary key (workspace_id, work_id),
      constraint a_claim_has_a_token check
        ((state = 'claimed') = (token_hash is not null and lease_until is not null)),
      constraint what_ended_has_an_end check
        ((state in ('done', 'failed', 'expired')) = (ended_at is not null)),
      constraint a_poll_has_slots check ((kind = 'poll') = (every is not null and origin is not null))
    ) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
    create unique index one_item_per_subject on work_items (workspace_id, subject_id)
      where subject_id <> '';
    create index due_polls on work_items (workspace_id, assigned_to, due_at)
      where kind = 'poll' and state = 'due';
    create index due_work on work_items (workspace_id, zone_id, kind, due_at)
      where kind <> 'poll' and state = 'due' and zone_id is not null;
    create index due_deliveries_of_the_server on work_items (due_at)
      where kind = 'deliver' and state = 'due' and zone_id is null;
    create index claims_by_lease on work_items (lease_until) where state = 'claimed';
    create index due_work_by_expiry on work_items (expires_at)
      where state = 'due' and expires_at is not null;
    create index work_by_end on work_items (ended_at) where ended_at is not null;

    -- due → claimed → done | failed | expired       claimed → due: lapsed, given back, or to be
    -- done again (the next slot, the next attempt)  due → failed | expired: out of time
    -- failed → due: a dead letter is sent again     A fence never goes back.
    create function check_work_transition() returns trigger language plpgsql as $$
      begin
        if new.fence < old.fence then
          raise exception 'the fence of % went back', old.work_id
            using errcode = 'check_violation', constraint = 'work_transitions';
        end if;
        if old.state = new.state
          or (old.state = 'due')
          or (old.state = 'claimed')
          or (old.state in ('failed', 'expired') and new.state = 'due' and old.kind = 'deliver')
        then
          if new.state = 'claimed' and (old.state = 'due') and new.fence = old.fence then
            raise exception 'a claim of % without a new fence', old.work_id
              using errcode = 'check_violation', constraint = 'work_transitions';
          end if;
          return new;
        end if;
        raise exception 'work cannot go from % to %', old.state, new.state
          using errcode = 'check_violation', constraint = 'work_transitions';
      end
    $$;
    create trigger work_transitions before update of state, fence on work_items
      for each row execute function check_work_transition();

    -- Whether a claim is that of whoever says so, and holds. Whatever is done on behalf of a claim
    -- is done where this is true, in the same statement.
    create function holds_claim(
      item work_items, by_collector text, by_process text, by_fence bigint, by_token_hash bytea
    ) returns boolean language sql volatile parallel safe as $$
      select (item).state = 'claimed'
        and (item).claimed_by = by_collector
        and (item).process_id = by_process
        and (item).fence = by_fence
        and (item).token_hash = by_token_hash
        and (item).lease_until >= wall_clock()
    $$;

    -- What a test tells while it runs.
    create table work_progress (
      workspace_id text not null,
      work_id text not null,
      step bigint generated always as identity,
      phase text not null,
      message text not null,
      elapsed_ms double precision,
      primary key (workspace_id, work_id, step),
      foreign key (workspace_id, work_id) references work_items on delete cascade
    );

    create table channels (
      workspace_id text not null references workspaces,
      channel_id text not null,
      display_name text not null,
      url text not null,
      -- host and port: what the secret headers are bound to
      target text not null,
      -- null when the server delivers itself
      zone_id text,
      headers bytea,
      header_names text[] not null default '{}',
      ca_pem text not null default '',
      secret bytea not null,
      secret_created_at timestamptz not null default wall_clock(),
      previous_secret bytea,
      previous_secret_until timestamptz,
      created_at timestamptz not null default wall_clock(),
      updated_at timestamptz not null default wall_clock(),
      primary key (workspace_id, channel_id),
      constraint channels_belong_to_zones foreign key (workspace_id, zone_id) references zones,
      constraint a_previous_secret_ends check
        ((previous_secret is null) = (previous_secret_until is null))
    );
    create unique index one_channel_per_name on channels (workspace_id, lower(display_name));

    -- A message to one channel; how far it has come is told by its item of work.
    create table deliveries (
      workspace_id text not null,
      delivery_id text not null,
      channel_id text not null,
      event_type text not null,
      body bytea not null,
      created_at timestamptz not null default wall_clock(),
      primary key (workspace_id, delivery_id),
      foreign key (workspace_id, channel_id) references channels on delete cascade
    );
    create index deliveries_by_age on deliveries (workspace_id, created_at desc, delivery_id desc);
    create index deliveries_of_a_channel
      on deliveries (workspace_id, channel_id, created_at desc, delivery_id desc);

    create table delivery_attempts (
      workspace_id text not null,
      delivery_id text not null,
      attempt bigint generated always as identity,
      attempted_at timestamptz not null default wall_clock(),
      -- null for the server itself
      collector_id text,
      http_status int not null,
      failure text not null,
      duration_ms double precision,
      primary key (workspace_id, delivery_id, attempt),
      foreign key (workspace_id, delivery_id) references deliveries on delete cascade
    );
  `.execute(db);
}
