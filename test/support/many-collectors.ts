import type { Owner, TestServer } from "./server.ts";

/** So many enrolled collectors, named host-00000 and so on, written straight into the database. */
export async function addCollectors(
  server: TestServer,
  owner: Owner,
  count: number,
): Promise<void> {
  await server.sql(
    `with made as (
       insert into edges (workspace_id, edge_id, kind, zone_id, display_name, status, enrolled_at,
         last_seen_at, version, queue, created_at)
       select $1, 'col.m' || lpad(n::text, 9, '0'), 'collector', $2, 'host-' || lpad(n::text, 5, '0'),
         'active', wall_clock(), wall_clock() - n * interval '3 seconds', '0.1.0',
         jsonb_build_object('queuedPoints', (n % 97)::text), wall_clock() - n * interval '1 minute'
       from generate_series(0, $3::int - 1) as n returning workspace_id, edge_id
     )
     insert into collectors (workspace_id, collector_id) select workspace_id, edge_id from made`,
    [owner.workspaceId, owner.zoneId, count],
  );
  await server.sql("analyze edges, collectors");
}
