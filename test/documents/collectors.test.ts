/**
 * What the product document on collectors says and no other test proves, in its own words; which
 * test proves which sentence is in coverage.ts.
 */
import os from "node:os";
import { getOption } from "@bufbuild/protobuf";
import test from "ava";
import { collectorSettings } from "../../collector/settings.ts";
import { access, Caller } from "../../gen/lumetry/access/v1/access_pb.js";
import { Problem_Reason as Reason } from "../../gen/lumetry/access/v1/problem_pb.js";
import { AcknowledgeConfigRequest_Outcome as Outcome } from "../../gen/lumetry/edge/v1/config_service_pb.js";
import { MetricsService } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import { ConfigurationService } from "../../gen/lumetry/v1/configuration_service_pb.js";
import { EdgeStatus as Status } from "../../gen/lumetry/v1/edge_pb.js";
import { MetricQueryService } from "../../gen/lumetry/v1/metric_query_service_pb.js";
import { readConfigDocument } from "../../lib/config-document.ts";
import { readSettings } from "../../lib/settings.ts";
import { as, openShell } from "../support/cli.ts";
import { addCollector, edgeCalls, enroll, register } from "../support/collector.ts";
import type { CollectorProcess } from "../support/collector-process.ts";
import { eventually } from "../support/eventually.ts";
import { type Installation, install } from "../support/installation.ts";
import { listeningSockets } from "../support/listening-sockets.ts";
import { addSender, seriesOf } from "../support/points.ts";
import { refused } from "../support/refusal.ts";
import {
  addWorkspace,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../support/server.ts";

let server: TestServer;
let owner: Owner;
/** A collector that runs as a process of its own, on this host. */
let installed: Installation;
let collector: CollectorProcess;

test.before(async () => {
  server = await startTestServer({ heartbeatInterval: 300 });
  owner = await setUp(server);
  installed = await install(server, owner);
  collector = installed.start();
  await installed.connected(collector);
});
test.after.always(async () => {
  await installed?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const collectors = () => server.client(CollectorService, owner.token);
const queries = (token = owner.token) => server.client(MetricQueryService, token);

test("'collect basic Linux host CPU, memory-use, and one-minute load metrics', which 'enter the normal catalog'", async (t) => {
  if (process.platform !== "linux") return t.pass("hosts are measured on Linux only");
  const basics = [
    "system.cpu.utilization",
    "system.memory.utilization",
    "system.cpu.load_average.1m",
  ];
  for (const metric of basics) {
    const answer = await eventually(`${metric} has a value`, async () => {
      const found = await queries().listLatestValues({ metric });
      return found.series.length > 0 && found;
    });
    t.truthy(answer.metric?.kind, metric);
    t.truthy(answer.metric?.description, metric);
    t.is(answer.series[0]?.labels["lumetry.collector_id"], installed.collectorId);
    t.is(answer.series[0]?.labels.host, os.hostname());
  }
});

test("'Collectors initiate all communication', so no 'inbound connection to the customer network' is needed: the process listens nowhere", async (t) => {
  if (process.platform !== "linux") return t.pass("only Linux tells who listens");
  t.true((await listeningSockets(process.pid)).length > 0, "this process does, for the server");
  t.deepEqual(await listeningSockets(collector.child.pid ?? 0), []);
});

test("'sends the token and basic host facts to the enrollment endpoint'", async (t) => {
  const { host, version } = await installed.shown();
  t.is(host?.hostname, os.hostname());
  t.is(host?.kernelVersion, os.release());
  t.is(host?.architecture, process.arch);
  t.regex(version, /^\d+\.\d+\.\d+$/);
});

test("'report liveness, version, queue depth, dropped-point count, and clock skew': a running collector's are shown", async (t) => {
  const { lastSeenAge, queue, clockSkew } = await eventually("it reports", async () => {
    const shown = await installed.shown();
    return shown.queue && shown;
  });
  t.truthy(lastSeenAge);
  t.truthy(clockSkew);
  t.is(queue?.droppedPoints, 0n);
  t.true((queue?.queuedPoints ?? -1n) >= 0n);
});

test("'The default buffer limit is 500 MB', and a running collector says that it is in force", async (t) => {
  t.is(readSettings(collectorSettings, {}).queueLimit, 500_000_000);
  const { queue } = await eventually("it reports", async () => {
    const shown = await installed.shown();
    return shown.queue && shown;
  });
  t.is(queue?.limitBytes, 500_000_000n);
});

test("'The one-time token is what binds an installation to its Lumetry workspace'", async (t) => {
  const theirs = await addWorkspace(server, owner.token);
  const { token, collectorId } = await register(server, theirs);
  const { credential } = await enroll(server, token);
  await edgeCalls(server, credential).metrics.writeMetrics({
    series: [seriesOf("bound.by.token", {}, [Date.now(), 1])],
  });
  t.is(
    (await queries(theirs.token).listLatestValues({ metric: "bound.by.token" })).series.length,
    1,
  );
  t.is((await queries().listLatestValues({ metric: "bound.by.token" })).series.length, 0);
  await refused(collectors().getCollector({ collectorId }));
  t.pass();
});

test("'uses the same metric contract as any other ingestion client', and 'the standard metric-ingestion API'", async (t) => {
  const { callers } = getOption(MetricsService.method.writeMetrics, access);
  t.true(callers.includes(Caller.COLLECTOR) && callers.includes(Caller.INGESTION_KEY));
  const [{ metrics: asCollector }, { metrics: asClient }] = await Promise.all([
    addCollector(server, owner),
    addSender(server, owner.token),
  ]);
  const batch = { batchId: "same", series: [seriesOf("same.contract", {}, [Date.now(), 1])] };
  t.deepEqual(await asCollector.writeMetrics(batch), await asClient.writeMetrics(batch));
  const { metric } = await queries().listLatestValues({ metric: "same.contract" });
  t.is(metric?.seriesCount, 2n);
});

test("'validates it before applying it', 'acknowledges the revision as applied or rejected', 'keeps the last valid configuration', 'Unknown properties are ignored'", async (t) => {
  const { collectorId } = installed;
  const configs = server.client(ConfigurationService, owner.token);
  const outcomeOf = (revision: bigint) =>
    eventually(`revision ${revision} is acknowledged`, async () => {
      const { config } = await configs.getConfiguration({ targetId: collectorId, revision });
      return config && config.outcome !== Outcome.UNSPECIFIED && config;
    });
  const publish = (hostMetrics: object) =>
    configs.publishConfiguration({
      targetId: collectorId,
      document: JSON.stringify({ hostMetrics }),
    });

  await publish({ intervalSeconds: 10 });
  t.is((await outcomeOf(1n)).outcome, Outcome.APPLIED);

  // No server of this release publishes what its collectors would reject; a later one might.
  await server.sql(
    `with latest as (update edges set latest_revision = 2 where edge_id = $1 returning *)
     insert into edge_configs (workspace_id, edge_id, revision, document, published_by)
     select workspace_id, edge_id, 2, '{"hostMetrics": {"intervalSeconds": 5}}', '' from latest`,
    [collectorId],
  );
  const rejected = await outcomeOf(2n);
  t.is(rejected.outcome, Outcome.REJECTED);
  t.regex(rejected.reason, /hostMetrics\.intervalSeconds/);
  t.like((await installed.shown()).config, { runningRevision: 1n, rejected: true });

  await publish({ intervalSeconds: 20, fromTheFuture: true });
  const applied = await outcomeOf(3n);
  t.is(applied.outcome, Outcome.APPLIED);
  t.deepEqual(applied.ignoredKeys, ["hostMetrics.fromTheFuture"]);
  t.like((await installed.shown()).config, { runningRevision: 3n, rejected: false });
});

test("'The current host-metric configuration is' valid as it is printed, and is the default", (t) => {
  const printed = `{
    "hostMetrics": {
    "enabled": true,
    "intervalSeconds": 60
    }
    }`;
  const reading = readConfigDocument(printed);
  if (!reading.valid) return t.fail(reading.problem);
  t.deepEqual(reading.unknownKeys, []);
  t.like(reading.config.hostMetrics, { enabled: true, intervalSeconds: 60 });
});

test("'Collector last-seen values are shown as elapsed ages, such as 12 minutes ago'", async (t) => {
  const { collectorId } = await addCollector(server, owner, "quiet");
  await server.sql(
    "update edges set last_seen_at = wall_clock() - interval '12 minutes' where edge_id = $1",
    [collectorId],
  );
  await using shell = await openShell();
  const environment = as(server, owner.token);
  const list = await shell.lumetry(["collectors", "list"], { environment });
  t.regex(list.stdout, /^quiet .* 12 minutes ago /m);
});

test("'Enroll a replacement rather than trying to reactivate a revoked identity': the same host may come again", async (t) => {
  const former = await addCollector(server, owner, "replaced");
  await collectors().revokeCollector({ collectorId: former.collectorId });
  const replacement = await addCollector(server, owner, "replaced");
  t.truthy(await replacement.config.getConfig({}));
  t.like(await refused(former.config.getConfig({})), { reason: Reason.REVOKED });
  const ids = [former, replacement].map(({ collectorId }) => collectorId);
  const statuses = ids.map(async (collectorId) => {
    const { collector: shown } = await collectors().getCollector({ collectorId });
    return shown?.status;
  });
  t.deepEqual(await Promise.all(statuses), [Status.REVOKED, Status.ACTIVE]);
});
