import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import test from "ava";
import { Capability } from "../../../gen/lumetry/access/v1/access_pb.js";
import { CollectorService } from "../../../gen/lumetry/v1/collector_service_pb.js";
import { ConfigurationService } from "../../../gen/lumetry/v1/configuration_service_pb.js";
import {
  MetricQueryService,
  LabelMatcher_Operation as Operation,
} from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import {
  SourceService,
  Source_Status as Status,
} from "../../../gen/lumetry/v1/source_service_pb.js";
import { askStatus, type CollectorProcess } from "../../support/collector-process.ts";
import { eventually } from "../../support/eventually.ts";
import { type Installation, install } from "../../support/installation.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";
import { startHttpTarget, type Target } from "../../support/target.ts";

const TOKEN = "bearer-token-of-the-source";

let server: TestServer;
let owner: Owner;
let installation: Installation;
let collector: CollectorProcess;
let target: Target;

test.before(async () => {
  target = await startHttpTarget((request, response) => {
    if (request.headers.authorization !== `Bearer ${TOKEN}`) response.writeHead(401).end();
    else response.end('# TYPE jobs_total counter\njobs_total{queue="mail"} 7\nbad_value NaN\n');
  });
  server = await startTestServer({ heartbeatInterval: 1000 });
  owner = await setUp(server);
  installation = await install(server, owner);
  collector = installation.start({ flags: ["--work-loopback", "true"] });
  await installation.connected(collector);
  await server.client(CollectorService, owner.token).updateCollector({
    collectorId: installation.collectorId,
    grantedCapabilities: {
      capabilities: [Capability.POLL_SOURCE, Capability.TEST_SOURCE, Capability.DELIVER_WEBHOOK],
    },
  });
});
test.after.always(async () => {
  await installation?.[Symbol.asyncDispose]();
  await target?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/** Grants are noticed within seconds. */
const mayTest = () =>
  eventually("the collector asks for tests", async () => {
    const [row] = await server.sql<{ capabilities: string[] }>(
      "select capabilities from workers where collector_id = $1",
      [installation.collectorId],
    );
    return row?.capabilities.includes("TEST_SOURCE");
  });

const people = () => server.client(SourceService, owner.token);
const scrape = () => ({
  kind: { case: "prometheusScrape" as const, value: { http: { url: `${target.url}/metrics` } } },
});

async function query(metric: string, sourceId?: string) {
  const now = Date.now();
  const { series } = await server.client(MetricQueryService, owner.token).queryRange({
    metric,
    matchers: sourceId
      ? [{ label: "lumetry.source_id", operation: Operation.EQUAL, value: sourceId }]
      : [],
    startTime: timestampFromMs(now - 3_600_000),
    endTime: timestampFromMs(now + 60_000),
  });
  return series;
}

test.serial(
  "a person who tests a source sees what the collector does, and what it finds",
  async (t) => {
    await mayTest();
    const steps: string[] = [];
    for await (const { event } of people().testSource({
      target: {
        case: "draft",
        value: { zoneId: owner.zoneId, settings: scrape(), secrets: { bearerToken: TOKEN } },
      },
    })) {
      if (event.case === "started") t.is(event.value.collectorId, installation.collectorId);
      if (event.case === "progress") steps.push(event.value.phase);
      if (event.case !== "result") continue;
      t.is(event.value.failure, "");
      t.deepEqual(
        event.value.series.map(({ metric, labels }) => [metric, labels]),
        [["jobs_total", { queue: "mail" }]],
      );
      t.is(event.value.facts["samples left out"], "1 are no finite number");
    }
    t.deepEqual(
      steps,
      ["dns", "connect", "first_byte", "transfer", "parse"].slice(0, steps.length),
    );
  },
);

test.serial(
  "a source is polled from inside its zone, and charted like any other metric",
  async (t) => {
    const { source } = await people().createSource({
      displayName: "shop",
      zoneId: owner.zoneId,
      settings: scrape(),
      secrets: { bearerToken: TOKEN },
      interval: durationFromMs(5_000),
      labels: { app: "shop" },
    });
    const sourceId = source?.sourceId ?? "";
    const shown = await eventually("it is up", async () => {
      const answer = (await people().getSource({ sourceId })).source;
      return answer?.status === Status.UP && answer;
    });
    t.is(shown.assignedCollectorId, installation.collectorId);
    const [jobs] = await eventually("its samples are there", async () => {
      const series = await query("jobs_total", sourceId);
      return (series[0]?.points.length ?? 0) >= 2 && series;
    });
    t.like(jobs?.labels, { queue: "mail", app: "shop", "lumetry.source_id": sourceId });
    t.is(jobs?.points[0]?.value, 7);
    const times = (jobs?.points ?? []).map(({ time }) => Number(time?.seconds));
    t.true(times.every((time, index) => index === 0 || (time - (times[index - 1] ?? 0)) % 5 === 0));
    const [up] = await query("up", sourceId);
    t.is(up?.points[0]?.value, 1);
    t.truthy((await query("poll.duration", sourceId))[0]);
    const { output } = await askStatus(installation.dataDir);
    t.regex(output, /^sources +1$/m);
    t.regex(
      output,
      /^lanes +\d of 128 slots, 0 slow, 0 waiting.*; tests 0 of 4; deliveries 0 of 8$/m,
    );
    t.regex(output, /^polls +\d+ started, 0 skipped; \d+ reports accepted, 0 too late$/m);
    await people().deleteSource({ sourceId });
    await eventually("it is over", async () =>
      /^sources +0$/m.test((await askStatus(installation.dataDir)).output),
    );
  },
);

test.serial("how work goes is measured like the host", async (t) => {
  await server.client(ConfigurationService, owner.token).publishConfiguration({
    targetId: installation.collectorId,
    document: '{"hostMetrics": {"intervalSeconds": 10}}',
  });
  const [started] = await eventually("it is measured", async () => {
    const series = await query("collector.work.started");
    return series.length > 0 && series;
  });
  t.true((started?.points[0]?.value ?? 0) > 0);
  const slots = await query("collector.work.slots");
  t.deepEqual(slots.map(({ labels }) => labels.kind).sort(), ["deliver", "poll", "test"]);
});
