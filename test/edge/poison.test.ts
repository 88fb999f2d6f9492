import { Code, ConnectError } from "@connectrpc/connect";
import test from "ava";
import {
  QueueHealth_Drop_Reason as DropReason,
  HeartbeatService,
} from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { MetricsService } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import { Attention_Kind as Attention } from "../../gen/lumetry/v1/edge_pb.js";
import { isOldestFirst, readArrivals } from "../support/arrivals.ts";
import { eventually } from "../support/eventually.ts";
import { startGateway } from "../support/gateway.ts";
import { direct, install } from "../support/installation.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer({ heartbeatInterval: 1000 });
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

test("a batch that the server cannot take is split; what stays bad is parked and shown, and all else flows", async (t) => {
  await using installation = await install(server, owner);
  await using gateway = await startGateway(server);
  const open = gateway.intercept(HeartbeatService.method.sendHeartbeat, async () => {
    throw new ConnectError("not yet", Code.Unavailable);
  });
  const sizes: number[] = [];
  gateway.intercept(MetricsService.method.writeMetrics, async ({ request, pass }) => {
    const serials = request.series.map(({ points }) => points[0]?.value);
    sizes.push(serials.length);
    if (serials.some((serial) => serial === 7 || serial === 12)) {
      throw new ConnectError("this cannot be read", Code.InvalidArgument);
    }
    return pass();
  });
  // The fourth sample is more than the server takes in one request.
  const collector = installation.startLoaded({ huge: 4 }, { routes: direct(gateway.url) });
  await eventually("a backlog is there", async () => {
    return ((await collector.status())?.queue.appendedPoints ?? 0) > 21_000;
  });
  open();
  const last = await collector.quiet();
  await eventually("the queue is empty", async () => {
    const { queue } = (await collector.status()) ?? {};
    return queue && queue.queuedPoints === 0 && queue.acknowledgedPoints > 0;
  });
  await installation.heartbeats(2);
  await collector.stop();

  const runs = await readArrivals(server, installation.collectorId);
  const expected = Array.from({ length: last }, (_, index) => index + 1);
  const parked = [4, 7, 12];
  const good = expected.filter((serial) => !parked.includes(serial));
  t.deepEqual([...new Set(runs.flatMap(({ values }) => values))], good);
  t.is(runs.flatMap(({ values }) => values).length, good.length * 10);
  t.true(isOldestFirst(runs));
  t.true(Math.max(...sizes.filter((size) => size < 10_000)) > 20, "batches held several samples");

  const { queue } = (await collector.status()) ?? {};
  t.like(queue, { unreadablePoints: 20_001 + 20, droppedPoints: 0, refusedPoints: 0 });
  const ledger = await server
    .client(CollectorService, owner.token)
    .listCollectorDrops({ collectorId: installation.collectorId });
  t.deepEqual(
    ledger.drops.map(({ points, reason }) => [Number(points), DropReason[reason]]),
    [
      [10, "UNREADABLE"],
      [10, "UNREADABLE"],
      [20_001, "UNREADABLE"],
    ],
  );
  const { attention } = await installation.shown();
  t.true(attention.some(({ kind }) => kind === Attention.POINTS_DROPPED));
  t.regex(collector.errors, /parked: the server cannot read it/);
});
