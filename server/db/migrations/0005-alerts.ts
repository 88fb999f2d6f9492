import { type Kysely, sql } from "kysely";

/** Rules, what their evaluation keeps between portions of the log, and alerts with their history. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table rules (
      workspace_id text not null references workspaces,
      rule_id text not null,
      display_name text not null,
      -- the JSON form of lumetry.v1.RuleSettings
      document jsonb not null,
      -- grows with every change of the document
      revision bigint not null default 1,
      enabled boolean not null default true,
      created_at timestamptz not null default wall_clock(),
      updated_at timestamptz not null default wall_clock(),
      -- when it was made, or last changed to judge otherwise
      judged_since timestamptz not null default wall_clock(),
      primary key (workspace_id, rule_id)
    );
    create unique index one_rule_per_name on rules (workspace_id, lower(display_name));

    -- How far the evaluation of a workspace's rules has come.
    create table rule_progress (
      workspace_id text primary key references workspaces,
      -- all that had arrived by then is judged
      judged_through timestamptz not null default wall_clock(),
      -- when it went on after a time in which nobody listened
      resumed_at timestamptz not null default wall_clock(),
      -- grows with every change of a rule
      rules_revision bigint not null default 0,
      -- another one after each write: whoever remembers it remembers what is kept here
      state_token text not null default ''
    ) with (fillfactor = 50);

    -- Whoever read last may go on before others do.
    alter table readers add column holder text;

    -- Where a rule stands for a group of series, unless it has nothing to say of it.
    create table rule_states (
      workspace_id text not null,
      rule_id text not null,
      group_key text not null,
      state jsonb not null,
      primary key (workspace_id, rule_id, group_key),
      foreign key (workspace_id, rule_id) references rules on delete cascade
    ) with (fillfactor = 70);

    -- The points of a series that windows of rules still look at, in blocks of time.
    create table rule_points (
      workspace_id text not null,
      series_id bigint not null,
      block_start_ms bigint not null,
      body bytea not null,
      primary key (workspace_id, series_id, block_start_ms)
    ) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

    -- One episode of one thing being wrong.
    create table alerts (
      workspace_id text not null references workspaces,
      alert_id text not null,
      origin text not null check (origin in ('rule', 'system')),
      rule_id text,
      system_kind text,
      -- the labels of the rule's group as text, or the id of what a system alert is about
      group_key text not null,
      labels jsonb not null default '{}',
      -- the collector or agent that it is about, or that sends the series it is about
      subject_edge_id text,
      severity text not null check (severity in ('info', 'warning', 'critical')),
      state text not null check (state in ('pending', 'firing', 'resolved')),
      summary text not null default '',
      runbook_url text not null default '',
      value double precision,
      -- the points that decided it, or what else did
      evidence jsonb not null default '{}',
      -- times of the data
      started_at timestamptz not null,
      fired_at timestamptz,
      resolved_at timestamptz,
      resolve_reason text not null default '',
      -- the alert that explains this one: nobody is told of it meanwhile
      suppressed_by text,
      -- fires, but nobody is told before that
      held_until timestamptz,
      -- since when incidents know that it fires; null while nobody was told
      told_at timestamptz,
      created_at timestamptz not null default wall_clock(),
      updated_at timestamptz not null default wall_clock(),
      primary key (workspace_id, alert_id),
      constraint an_alert_has_one_source check
        ((origin = 'rule') = (rule_id is not null) and (origin = 'system') = (system_kind is not null)),
      constraint what_fires_has_fired check ((state = 'pending') = (fired_at is null)),
      constraint what_is_resolved_has_an_end check ((state = 'resolved') = (resolved_at is not null))
    ) with (fillfactor = 80);
    create unique index one_open_alert_per_group
      on alerts (workspace_id, origin, coalesce(rule_id, system_kind), group_key)
      where state <> 'resolved';
    create index alerts_by_start on alerts (workspace_id, started_at desc, alert_id desc);
    create index alerts_of_a_rule on alerts (workspace_id, rule_id, started_at desc)
      where rule_id is not null;
    create index open_alerts_by_subject on alerts (workspace_id, subject_edge_id)
      where state <> 'resolved' and subject_edge_id is not null;
    create index suppressed_alerts on alerts (workspace_id, suppressed_by)
      where state <> 'resolved' and suppressed_by is not null;
    create index held_alerts on alerts (held_until) where state = 'firing' and held_until is not null;
    create index resolved_alerts on alerts (updated_at) where state = 'resolved';

    -- pending → firing → resolved          what was pending only is deleted; resolved is final.
    -- Two steps of one transaction are one write; that it fired in between is checked above.
    create function check_alert_transition() returns trigger language plpgsql as $$
      begin
        if old.state = new.state
          or old.state = 'pending'
          or (old.state = 'firing' and new.state = 'resolved')
        then
          return new;
        end if;
        raise exception 'an alert cannot go from % to %', old.state, new.state
          using errcode = 'check_violation', constraint = 'alert_state_machine';
      end
    $$;
    create trigger alert_state_machine before update of state on alerts
      for each row execute function check_alert_transition();

    -- What became of alerts, in order; only ever added to. 'none' is before the first state. What
    -- never fired takes its line along.
    create table alert_transitions (
      workspace_id text not null,
      transition_id bigint generated always as identity,
      alert_id text not null,
      from_state text not null check (from_state in ('none', 'pending', 'firing')),
      to_state text not null check (to_state in ('pending', 'firing', 'resolved')),
      -- of the point that decided
      data_time timestamptz not null,
      recorded_at timestamptz not null default wall_clock(),
      value double precision,
      reason text not null default '',
      primary key (workspace_id, transition_id),
      foreign key (workspace_id, alert_id) references alerts on delete cascade
    );
    create index transitions_of_an_alert on alert_transitions (workspace_id, alert_id, transition_id);
  `.execute(db);
}
