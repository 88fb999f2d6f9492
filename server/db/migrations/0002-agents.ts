import { type Kysely, sql } from "kysely";

/** Host agents: the profiles that they enroll by, the clusters that they are placed in, their ways. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table zones add column allow_cleartext_relay boolean not null default true;

    -- The JSON form of lumetry.edge.v1.RelayHealth, as last reported.
    alter table collectors add column relay jsonb;

    create table topology_nodes (
      workspace_id text not null references workspaces,
      node_id text not null,
      kind text not null check (kind in ('site', 'group', 'cluster')),
      display_name text not null,
      -- as names are compared, without regard to case
      folded_name text not null,
      parent_id text,
      created_at timestamptz not null default wall_clock(),
      primary key (workspace_id, node_id),
      constraint nodes_are_in_nodes foreign key (workspace_id, parent_id) references topology_nodes
    );
    create index topology_nodes_by_name on topology_nodes (workspace_id, folded_name, node_id);
    create index topology_nodes_in_a_node on topology_nodes (workspace_id, parent_id);

    create table enrollment_profiles (
      workspace_id text not null references workspaces,
      profile_id text not null,
      display_name text not null,
      token_hash bytea not null,
      zone_id text not null,
      cluster_id text check (cluster_id like 'cls.%'),
      labels jsonb not null default '{}',
      max_uses bigint not null,
      uses bigint not null default 0,
      created_at timestamptz not null default wall_clock(),
      expires_at timestamptz not null,
      disabled_at timestamptz,
      -- configuration for its agents
      latest_revision bigint not null default 0,
      primary key (workspace_id, profile_id),
      constraint profiles_belong_to_zones foreign key (workspace_id, zone_id) references zones,
      constraint profiles_place_in_clusters foreign key (workspace_id, cluster_id)
        references topology_nodes,
      constraint one_profile_per_token unique (token_hash),
      constraint uses_stay_within_the_limit check (uses <= max_uses)
    );
    create index enrollment_profiles_by_age
      on enrollment_profiles (workspace_id, created_at desc, profile_id desc);

    create table profile_configs (
      workspace_id text not null,
      profile_id text not null,
      revision bigint not null check (revision > 0),
      document text not null,
      published_at timestamptz not null default wall_clock(),
      published_by text not null,
      reverted_from bigint not null default 0,
      primary key (workspace_id, profile_id, revision),
      foreign key (workspace_id, profile_id) references enrollment_profiles
    );

    -- A revision of an edge either has a document of its own or stands for one of a profile;
    -- revision zero of a profile is "{}".
    alter table edge_configs
      alter column document drop not null,
      add column profile_id text,
      add column profile_revision bigint,
      add constraint one_source_each check
        ((document is null) = (profile_id is not null)
          and (profile_id is null) = (profile_revision is null)),
      add constraint configs_of_profiles foreign key (workspace_id, profile_id)
        references enrollment_profiles;
    create index edge_configs_of_a_profile
      on edge_configs (workspace_id, profile_id, profile_revision, outcome)
      where profile_id is not null;

    -- What only agents have.
    create table agents (
      workspace_id text not null,
      agent_id text not null,
      profile_id text not null,
      cluster_id text check (cluster_id like 'cls.%'),
      machine_fingerprint text not null default '',
      -- the cluster that it asked for when it enrolled, and what became of that
      asked_cluster text not null default '',
      placement text not null,
      -- a document of its own wins over its profile's; what of the profile's its latest revision
      -- stands for, if it does
      has_own_config boolean not null default false,
      profile_revision bigint default 0,
      -- the way of its last call: a collector, or directly
      relay_id text,
      path_since timestamptz not null default wall_clock(),
      -- the last collector of another zone that passed a call of its on
      refused_relay_id text,
      refused_relay_at timestamptz,
      primary key (workspace_id, agent_id),
      foreign key (workspace_id, agent_id) references edges,
      foreign key (workspace_id, profile_id) references enrollment_profiles,
      constraint hosts_are_in_clusters foreign key (workspace_id, cluster_id)
        references topology_nodes,
      foreign key (workspace_id, relay_id) references collectors
    );
    create index agents_of_a_machine on agents (workspace_id, machine_fingerprint)
      where machine_fingerprint <> '';
    create index agents_of_a_profile on agents (workspace_id, profile_id);
    create index agents_in_a_cluster on agents (workspace_id, cluster_id);
    create index agents_behind_a_collector on agents (workspace_id, relay_id)
      where relay_id is not null;
    create index agents_by_nonce on edges (workspace_id, enroll_nonce_hash) where kind = 'agent';
  `.execute(db);
}
