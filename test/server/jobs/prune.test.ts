import test from "ava";
import { RuleService } from "../../../gen/lumetry/v1/rule_service_pb.js";
import { silentLog } from "../../../lib/log.ts";
import { connectDatabase } from "../../../server/db/database.ts";
import { prune } from "../../../server/jobs/prune.ts";
import { addAgent } from "../../support/agent.ts";
import { openAlerts } from "../../support/alerts.ts";
import { eventually } from "../../support/eventually.ts";
import { addSender, seriesOf } from "../../support/points.ts";
import { aboveBound } from "../../support/rules.ts";
import { setUp, startTestServer } from "../../support/server.ts";

test("the ledger of losses and the history of heartbeats keep the newest lines of each edge, for longer than a year", async (t) => {
  await using server = await startTestServer();
  const owner = await setUp(server);
  const [busy, quiet] = [await addAgent(server, owner), await addAgent(server, owner)];
  const add = (edgeId: string, first: number, count: number, age: string) =>
    server.sql(
      `insert into edge_drops (workspace_id, edge_id, queue_id, drop_id, points, reason, received_at)
       select $1, $2, 'q', n, 1, 'LIMIT', wall_clock() - $5::interval from generate_series($3::int, $4::int) n`,
      [owner.workspaceId, edgeId, first, first + count - 1, age],
    );
  await add(quiet.agentId, 1, 3, "401 days");
  await add(quiet.agentId, 4, 2, "399 days");
  await add(busy.agentId, 1, 10_050, "1 day");

  await using database = connectDatabase(
    { url: server.databaseUrl },
    { log: silentLog, connections: 1 },
  );
  const hear = (edgeId: string, count: number, age: string) =>
    server.sql(
      `insert into edge_contacts (workspace_id, edge_id, ended_at)
       select $1, $2, wall_clock() - $4::interval from generate_series(1, $3::int)`,
      [owner.workspaceId, edgeId, count, age],
    );
  await hear(quiet.agentId, 3, "401 days");
  await hear(quiet.agentId, 2, "399 days");
  await hear(busy.agentId, 10_050, "1 day");
  await prune(database.db);
  await prune(database.db);
  const heard = await server.sql<{ edge_id: string; count: number }>(
    "select edge_id, count(*)::int from edge_contacts group by edge_id",
  );
  const left = new Map(heard.map(({ edge_id, count }) => [edge_id, count]));
  t.is(left.get(quiet.agentId), 2);
  t.is(left.get(busy.agentId), 10_000);
  const rows = await server.sql<{ edge_id: string; count: number; oldest: string }>(
    "select edge_id, count(*)::int, min(drop_id)::text as oldest from edge_drops group by edge_id",
  );
  const kept = new Map(rows.map(({ edge_id, count, oldest }) => [edge_id, [count, oldest]]));
  t.deepEqual(kept.get(quiet.agentId), [2, "4"]);
  t.deepEqual(kept.get(busy.agentId), [10_000, "51"]);
});

test("what rules keep of archived series goes, and what ended incidents have in common with later ones", async (t) => {
  await using server = await startTestServer();
  const owner = await setUp(server);
  await using alerts = openAlerts(server, owner.workspaceId);
  await alerts.fire({ name: "old" }, { name: "new" });
  await alerts.resolve("old", "new");
  await server.sql(
    "update incidents set resolved_at = wall_clock() - interval '2 hours' where title like 'old%'",
  );
  await server.client(RuleService, owner.token).createRule({ settings: aboveBound("test.m") });
  const sender = await addSender(server, owner.token);
  await sender.metrics.writeMetrics({
    series: [seriesOf("test.m", { host: "a" }, [Date.now(), 1])],
  });
  await eventually("the rule keeps the point", async () => {
    const rows = await server.sql("select from rule_points");
    return rows.length > 0;
  });
  await server.sql("update series set archived_at = wall_clock()");

  await prune(alerts.db);
  const ties = await server.sql<{ title: string }>(
    "select distinct title from incident_ties join incidents using (workspace_id, incident_id)",
  );
  t.deepEqual(ties, [{ title: "new is wrong" }]);
  t.deepEqual(await server.sql("select from rule_points"), []);
});
