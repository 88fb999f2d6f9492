import { type Kysely, sql } from "kysely";

/** Incidents, silences, routes of notifications and the groups in which these are told; kinds of channels. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    -- Where people reach the deployment, for links in messages.
    alter table deployment
      add column public_url text not null default '',
      -- whether somebody has set it; else it is what a server took itself to be
      add column public_url_was_set boolean not null default false;

    alter table channels
      add column kind text not null default 'webhook'
        check (kind in ('webhook', 'slack', 'alertmanager', 'email')),
      -- the whole url, where its path is a secret; url is then without it
      add column sealed_url bytea,
      add column recipients text[] not null default '{}',
      alter column secret drop not null,
      add constraint mail_is_signed_by_nobody check ((kind = 'email') = (secret is null)),
      add constraint mail_has_recipients check ((kind = 'email') = (cardinality(recipients) > 0)),
      add constraint mail_leaves_from_the_server check (kind <> 'email' or zone_id is null);

    create table incidents (
      workspace_id text not null references workspaces,
      incident_id text not null,
      number bigint not null,
      title text not null,
      severity text not null check (severity in ('info', 'warning', 'critical')),
      state text not null default 'open' check (state in ('open', 'acknowledged', 'resolved')),
      opened_at timestamptz not null default wall_clock(),
      reopened_at timestamptz,
      reopenings int not null default 0,
      -- when an alert last joined it
      joined_at timestamptz not null default wall_clock(),
      acknowledged_at timestamptz,
      acknowledged_by text,
      assignee_id text,
      resolved_at timestamptz,
      -- null when it did by itself
      resolved_by text,
      primary key (workspace_id, incident_id),
      constraint one_incident_per_number unique (workspace_id, number),
      constraint what_is_acknowledged_says_when check
        (state <> 'acknowledged' or (acknowledged_at is not null and acknowledged_by is not null)),
      constraint what_is_over_has_an_end check ((state = 'resolved') = (resolved_at is not null))
    ) with (fillfactor = 80);
    create index incidents_by_age on incidents (workspace_id, number desc);
    create index resolved_incidents on incidents (resolved_at) where state = 'resolved';

    -- open → acknowledged → resolved, open → resolved; resolved → open when it comes back
    create function check_incident_transition() returns trigger language plpgsql as $$
      begin
        if old.state = new.state
          or (old.state = 'open' and new.state in ('acknowledged', 'resolved'))
          or (old.state = 'acknowledged' and new.state = 'resolved')
          or (old.state = 'resolved' and new.state = 'open')
        then
          return new;
        end if;
        raise exception 'an incident cannot go from % to %', old.state, new.state
          using errcode = 'check_violation', constraint = 'incident_state_machine';
      end
    $$;
    create trigger incident_state_machine before update of state on incidents
      for each row execute function check_incident_transition();

    -- An alert belongs to one incident.
    create table incident_alerts (
      workspace_id text not null,
      alert_id text not null,
      incident_id text not null,
      -- why it was gathered here, for people
      reason text not null,
      joined_at timestamptz not null default wall_clock(),
      ended_at timestamptz,
      primary key (workspace_id, alert_id),
      foreign key (workspace_id, alert_id) references alerts on delete cascade,
      foreign key (workspace_id, incident_id) references incidents on delete cascade
    );
    create index alerts_of_an_incident on incident_alerts (workspace_id, incident_id, ended_at);
    create index alerts_in_incidents on incident_alerts (workspace_id) where ended_at is null;

    -- What alerts of an incident have in common with those that may join it.
    create table incident_ties (
      workspace_id text not null,
      tie text not null,
      incident_id text not null,
      primary key (workspace_id, tie, incident_id),
      foreign key (workspace_id, incident_id) references incidents on delete cascade
    );
    create index ties_of_an_incident on incident_ties (workspace_id, incident_id);

    -- The timeline; only ever added to.
    create table incident_events (
      workspace_id text not null,
      event_id bigint generated always as identity,
      incident_id text not null,
      happened_at timestamptz not null default wall_clock(),
      kind text not null check (kind in ('opened', 'alert_fired', 'alert_resolved', 'acknowledged',
        'assigned', 'commented', 'resolved', 'reopened', 'notified', 'silenced')),
      -- null for the server
      actor_id text,
      actor_name text not null default '',
      message text not null default '',
      alert_id text,
      channel_id text,
      delivery_id text,
      silence_id text,
      primary key (workspace_id, event_id),
      foreign key (workspace_id, incident_id) references incidents on delete cascade
    );
    create index events_of_an_incident on incident_events (workspace_id, incident_id, event_id desc);

    -- For alerts that say in a label alone in which cluster their host is.
    create index clusters_by_name on topology_nodes (workspace_id, display_name) where kind = 'cluster';

    create table silences (
      workspace_id text not null references workspaces,
      silence_id text not null,
      -- the JSON form of lumetry.v1.AlertConditions
      conditions jsonb not null,
      incident_id text,
      starts_at timestamptz not null,
      ends_at timestamptz not null,
      reason text not null,
      created_by text not null,
      created_at timestamptz not null default wall_clock(),
      primary key (workspace_id, silence_id),
      foreign key (workspace_id, incident_id) references incidents on delete cascade,
      constraint a_silence_ends_after_its_start check (ends_at >= starts_at)
    );
    create index silences_by_end on silences (workspace_id, ends_at);

    create table notification_routes (
      workspace_id text not null references workspaces,
      route_id text not null,
      position int not null check (position > 0),
      display_name text not null,
      -- the JSON form of lumetry.v1.NotificationRouteSettings, without its channels
      settings jsonb not null,
      created_at timestamptz not null default wall_clock(),
      updated_at timestamptz not null default wall_clock(),
      primary key (workspace_id, route_id),
      constraint one_route_per_place unique (workspace_id, position) deferrable initially deferred
    );
    create unique index one_route_per_name on notification_routes (workspace_id, lower(display_name));

    create table notification_route_channels (
      workspace_id text not null,
      route_id text not null,
      channel_id text not null,
      place int not null,
      primary key (workspace_id, route_id, channel_id),
      foreign key (workspace_id, route_id) references notification_routes on delete cascade,
      constraint routes_lead_to_channels foreign key (workspace_id, channel_id) references channels
    );
    create index routes_of_a_channel on notification_route_channels (workspace_id, channel_id);

    -- Alerts that are told together on one route, from the first until all have ended; with what the
    -- route said when that began, since a route may change or go meanwhile.
    create table notification_groups (
      workspace_id text not null references workspaces,
      group_id text not null,
      -- '' for the default of a workspace without routes
      route_id text not null,
      route_name text not null,
      group_key text not null,
      -- for people and receivers: the labels that its alerts share by its route
      group_labels jsonb not null default '{}',
      channel_ids text[] not null,
      interval_ms bigint not null,
      repeat_ms bigint not null,
      opened_at timestamptz not null default wall_clock(),
      -- counts what was told
      transition int not null default 0,
      told_at timestamptz,
      -- what is new is not told before that, unless it is worse than what was told
      not_before timestamptz not null,
      -- the highest severity of what was told last; until then, of what was told just before it began
      told_severity text,
      -- when somebody has to look whether there is something to tell
      due_at timestamptz,
      closed_at timestamptz,
      primary key (workspace_id, group_id)
    ) with (fillfactor = 70);
    create unique index one_open_group_per_key on notification_groups (workspace_id, route_id, group_key)
      where closed_at is null;
    create index closed_groups_by_key
      on notification_groups (workspace_id, route_id, group_key, told_at desc)
      where closed_at is not null and told_at is not null;
    create index due_groups on notification_groups (due_at) where closed_at is null;
    create index closed_groups on notification_groups (closed_at) where closed_at is not null;

    create table notification_members (
      workspace_id text not null,
      group_id text not null,
      alert_id text not null,
      fires boolean not null default true,
      -- what receivers believe
      told text not null default 'nothing' check (told in ('nothing', 'firing', 'resolved')),
      -- the silence that kept it back
      silence_id text,
      primary key (workspace_id, group_id, alert_id),
      foreign key (workspace_id, group_id) references notification_groups on delete cascade,
      foreign key (workspace_id, alert_id) references alerts on delete cascade
    );
    create index groups_of_an_alert on notification_members (workspace_id, alert_id);

    -- What was told: once for each transition of a group and each channel.
    create table notifications (
      workspace_id text not null,
      group_id text not null,
      transition int not null,
      channel_id text not null,
      delivery_id text not null,
      event_type text not null,
      created_at timestamptz not null default wall_clock(),
      constraint one_notification_per_transition
        primary key (workspace_id, group_id, transition, channel_id),
      foreign key (workspace_id, group_id) references notification_groups on delete cascade
    );
  `.execute(db);
}
