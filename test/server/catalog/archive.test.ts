import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import test from "ava";
import { MetricQueryService } from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import { WorkspaceService } from "../../../gen/lumetry/v1/workspace_service_pb.js";
import { systemClock } from "../../../lib/clock.ts";
import { silentLog } from "../../../lib/log.ts";
import { keepCatalog } from "../../../server/catalog/archive.ts";
import { makePackingThread } from "../../../server/chunks/packing-thread.ts";
import { chunkReader } from "../../../server/chunks/reader.ts";
import { connectDatabase } from "../../../server/db/database.ts";
import { addSender, seriesOf } from "../../support/points.ts";
import { readNow } from "../../support/reader-turn.ts";
import { refused } from "../../support/refusal.ts";
import { addWorkspace, setUp, startTestServer, type TestServer } from "../../support/server.ts";

const DAY = 86_400_000;
const RETENTION = { pointsMs: 30 * DAY, allMs: 730 * DAY };

/** Reads the log of all workspaces and settles every day that is over. */
async function readLog(server: TestServer): Promise<void> {
  await using connection = connectDatabase(
    { url: server.databaseUrl },
    { log: silentLog, connections: 4 },
  );
  await using packing = makePackingThread();
  const reader = chunkReader({
    db: connection.db,
    packing,
    log: silentLog,
    clock: systemClock,
    retentionMs: RETENTION.pointsMs,
    patience: { ms: -60_000, bytes: 0 },
    compaction: { fanIn: 1, graceMs: 0, quietMs: -60_000 },
  });
  await readNow(reader, connection);
}

/** Makes a series look as if it had its last point, and was archived, so many days ago. */
async function age(server: TestServer, host: string, seenDays: number, archivedDays?: number) {
  await server.sql(
    `update series set first_seen_at = wall_clock() - $2 * interval '1 day',
       last_seen_at = wall_clock() - $2 * interval '1 day',
       archived_at = coalesce(wall_clock() - $3 * interval '1 day', archived_at)
     where labels ->> 'host' = $1`,
    [host, seenDays, archivedDays ?? null],
  );
}

async function keep(server: TestServer): Promise<void> {
  await using connection = connectDatabase(
    { url: server.databaseUrl },
    { log: silentLog, connections: 2 },
  );
  await keepCatalog(connection.db, RETENTION);
}

test("a series is archived when its points are gone, makes room, comes back with new points, and is forgotten in the end", async (t) => {
  await using server = await startTestServer({ seriesLimit: 2 });
  const owner = await setUp(server);
  const { metrics } = await addSender(server, owner.token);
  const write = async (...hosts: string[]) =>
    (
      await metrics.writeMetrics({
        series: hosts.map((host) => seriesOf("m", { host }, [Date.now(), 1])),
      })
    ).acceptedPoints;
  const client = server.client(MetricQueryService, owner.token);
  const listed = async () => {
    const { series } = await client.listSeries({ metric: "m" });
    return series.map(({ labels, archived }) => `${labels.host}${archived ? " archived" : ""}`);
  };
  const counts = async () => {
    const { workspace } = await server.client(WorkspaceService, owner.token).getWorkspace({});
    const { metric } = await client.getMetric({ metric: "m" });
    return [workspace?.seriesCount, metric?.seriesCount];
  };
  await write("a", "b");
  t.is(await write("c"), 0n);
  await readLog(server);

  await age(server, "a", 40);
  await keep(server);
  t.deepEqual(await listed(), ["a archived", "b"]);
  t.deepEqual(await counts(), [1n, 1n]);

  // This server still believes in it: the point is taken, and brings it back.
  t.is(await write("a"), 1n);
  await readLog(server);
  await keep(server);
  t.deepEqual(await listed(), ["a", "b"]);
  t.deepEqual(await counts(), [2n, 2n]);

  await age(server, "a", 800);
  await keep(server);
  await keep(server);
  t.deepEqual(await listed(), ["a archived", "b"], "who believes in it may write to it still");
  await age(server, "a", 800, 2);
  await keep(server);
  t.deepEqual(await listed(), ["b"]);
  t.deepEqual(await counts(), [1n, 1n]);

  // Another server knows nothing of it: it is a new one.
  await using other = await startTestServer({ databaseUrl: server.databaseUrl });
  const { metrics: there } = await addSender(other, owner.token);
  await there.writeMetrics({ series: [seriesOf("m", { host: "c" }, [Date.now(), 1])] });
  t.deepEqual(await counts(), [2n, 2n]);
  await age(server, "b", 40);
  await keep(server);
  // One that is archived comes back where there is room, as a new one does.
  await there.writeMetrics({ series: [seriesOf("m", { host: "b" }, [Date.now(), 1])] });
  t.deepEqual(await listed(), ["b", "c"]);
});

test("an owner sets how many series a workspace may have; those that exist go on", async (t) => {
  await using server = await startTestServer();
  const owner = await setUp(server);
  const neighbour = await addWorkspace(server, owner.token);
  const workspaces = server.client(WorkspaceService, owner.token);
  const { metrics } = await addSender(server, neighbour.token);
  const write = async (...hosts: string[]) =>
    (
      await metrics.writeMetrics({
        series: hosts.map((host) => seriesOf("m", { host }, [Date.now(), 1])),
      })
    ).acceptedPoints;
  t.is(await write("a", "b", "c"), 3n);
  const { workspaceId } = neighbour;
  const { workspace } = await workspaces.setSeriesLimit({ workspaceId, seriesLimit: 2n });
  t.like(workspace, { seriesLimit: 2n, seriesCount: 3n });
  t.is(await write("a", "b", "c", "d"), 3n);
  const mine = await workspaces.setSeriesLimit({ seriesLimit: 7n });
  t.like(mine.workspace, { workspaceId: owner.workspaceId, seriesLimit: 7n });
  const nowhere = await refused(
    workspaces.setSeriesLimit({ workspaceId: "wsp.nowhere", seriesLimit: 7n }),
  );
  t.is(nowhere.code, Code.NotFound);
  const theirs = await refused(
    server.client(WorkspaceService, neighbour.token).setSeriesLimit({ seriesLimit: 9n }),
  );
  t.is(theirs.code, Code.PermissionDenied);
});

test("the catalog tells who sends a metric, its labels and their values", async (t) => {
  await using server = await startTestServer();
  const owner = await setUp(server);
  const { metrics } = await addSender(server, owner.token);
  const hosts = ["web-1", "web-2", "db-1"];
  await metrics.writeMetrics({
    series: [
      ...hosts.map((host) => seriesOf("cpu", { host, site: "lyon" }, [Date.now(), 1])),
      seriesOf("disk", { host: "db-1", device: "sda" }, [Date.now(), 1]),
    ],
  });
  await readLog(server);
  const client = server.client(MetricQueryService, owner.token);
  const { metric, senders } = await client.getMetric({ metric: "cpu" });
  t.is(metric?.seriesCount, 3n);
  t.true(metric?.lastSeenTime !== undefined);
  t.deepEqual(senders.map(({ displayName }) => displayName).length, 1);
  t.regex(senders[0]?.senderId ?? "", /^\w+\.[a-z]{10}$/);
  t.is((await refused(client.getMetric({ metric: "none" }))).code, Code.NotFound);

  const { labels } = await client.listLabels({});
  t.deepEqual(
    labels.map(({ label, valueCount, seriesCount }) => [label, valueCount, seriesCount]),
    [
      ["device", 1n, 1n],
      ["host", 3n, 4n],
      ["site", 1n, 3n],
    ],
  );
  const ofDisk = await client.listLabels({ metric: "disk", nameContains: "EV" });
  t.deepEqual(
    ofDisk.labels.map(({ label }) => label),
    ["device"],
  );
  const first = await client.listLabelValues({ label: "host", pageSize: 2 });
  t.deepEqual(
    first.values.map(({ value, seriesCount }) => [value, seriesCount]),
    [
      ["db-1", 2n],
      ["web-1", 1n],
    ],
  );
  const { nextPageToken: pageToken } = first;
  const rest = await client.listLabelValues({ label: "host", pageSize: 2, pageToken });
  t.deepEqual(
    rest.values.map(({ value }) => value),
    ["web-2"],
  );
  const some = await client.listLabelValues({ label: "host", valueContains: "WEB", metric: "cpu" });
  t.is(some.values.length, 2);
  const { metrics: found } = await client.listMetrics({
    matchers: [{ label: "device", operation: 3, value: "sd." }],
  });
  t.deepEqual(
    found.map((each) => each.metric),
    ["disk"],
  );
  const { series } = await client.queryRange({
    metric: "cpu",
    startTime: timestampFromMs(Date.now() - DAY),
    endTime: timestampFromMs(Date.now() + DAY),
    step: durationFromMs(60_000),
    matchers: [{ label: "host", operation: 5, values: ["web-1", "db-1", "none"] }],
  });
  t.is(series.length, 2);
});
