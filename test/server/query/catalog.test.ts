import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import test from "ava";
import { Role } from "../../../gen/lumetry/access/v1/access_pb.js";
import { MetricMetadata_Kind as Kind } from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import {
  LabelMatcher_Operation,
  MetricQueryService,
} from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import { addSender, seriesOf, shown, type TestSender } from "../../support/points.ts";
import { refused } from "../../support/refusal.ts";
import {
  addPerson,
  addWorkspace,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../../support/server.ts";

const HOUR = 3_600_000;
let server: TestServer;
let owner: Owner;
let sender: TestSender;

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  sender = await addSender(server, owner.token);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const queries = (token = owner.token) => server.client(MetricQueryService, token);
const now = () => Date.now();

async function meaning(metric: string) {
  const { metrics } = await queries().listMetrics({ nameContains: metric });
  return metrics[0];
}

test("the catalog pages through metrics by name, and finds parts of names", async (t) => {
  const other = await addWorkspace(server, owner.token);
  const { metrics } = await addSender(server, other.token);
  const names = Array.from({ length: 120 }, (_, at) => `page.m${String(at).padStart(3, "0")}`);
  await metrics.writeMetrics({
    series: [...names, "Odd_Name", "odd.name"].map((name) => seriesOf(name, {}, [now(), 1])),
  });
  const list = async (request: object) => {
    const found: string[] = [];
    let pages = 0;
    for (let pageToken = ""; pages === 0 || pageToken !== ""; pages += 1) {
      const page = await queries(other.token).listMetrics({ ...request, pageToken });
      found.push(...page.metrics.map(({ metric }) => metric));
      pageToken = page.nextPageToken;
    }
    return { found, pages };
  };
  t.deepEqual(await list({ nameContains: "PAGE." }), { found: names, pages: 3 });
  t.deepEqual(await list({ nameContains: "page.m", pageSize: 60 }), { found: names, pages: 2 });
  t.is((await list({ pageSize: 200 })).found.length, 122);
  // Neither a wildcard of SQL's nor a sign of a pattern's means anything.
  t.deepEqual((await list({ nameContains: "d_n" })).found, ["Odd_Name"]);
  for (const nameContains of ["%", "_m", "\\", ".*", "\0"]) {
    t.deepEqual((await list({ nameContains })).found, [], nameContains);
  }
  const refusal = await refused(queries().listMetrics({ pageToken: "nonsense" }));
  t.is(refusal.code, Code.InvalidArgument);
});

test("a metric tells how many series it has and since when", async (t) => {
  const before = now();
  const write = (...hosts: string[]) =>
    sender.metrics.writeMetrics({
      series: hosts.map((host) => seriesOf("counted", { host }, [now(), 1])),
    });
  await write("a", "b");
  await write("b", "c");
  const metric = await meaning("counted");
  t.is(metric?.seriesCount, 3n);
  const seen = metric?.firstSeenTime ? timestampMs(metric.firstSeenTime) : 0;
  t.true(seen >= before - 5_000 && seen <= now() + 5_000);
});

test("the first kind of a metric stays; unit and description are the last ones told", async (t) => {
  const tell = (kind: Kind, unit: string, description: string) =>
    sender.metrics.writeMetrics({
      series: [seriesOf("told", {}, [now(), 1])],
      metadata: [{ metric: "told", kind, unit, description }],
    });
  const told = async () => {
    const { kind, unit, description } = (await meaning("told")) ?? {};
    return [kind, unit, description];
  };
  await tell(Kind.UNSPECIFIED, "s", "");
  t.deepEqual(await told(), [Kind.UNSPECIFIED, "s", ""]);
  await tell(Kind.COUNTER, "", "Seconds");
  t.deepEqual(await told(), [Kind.COUNTER, "s", "Seconds"]);
  await tell(Kind.GAUGE, "ms", "Milliseconds");
  t.deepEqual(await told(), [Kind.COUNTER, "ms", "Milliseconds"]);
  await tell(Kind.COUNTER, "s", "Seconds");
  t.deepEqual(await told(), [Kind.COUNTER, "s", "Seconds"]);
});

test("metadata that is not valid is left out, and the points are kept", async (t) => {
  const answer = await sender.metrics.writeMetrics({
    series: [seriesOf("plain", {}, [now(), 1])],
    metadata: [
      { metric: "plain", unit: "x".repeat(64) },
      { metric: "plain", description: "x".repeat(1025) },
      { metric: "plain", description: "line\nbreak" },
      { metric: "plain", description: "\0" },
      { metric: "plain", kind: 9 as Kind },
      { metric: "no such name!", unit: "s" },
      { metric: "", unit: "s" },
      { metric: "not.seen.yet", unit: "s" },
    ],
  });
  t.is(answer.acceptedPoints, 1n);
  t.like(await meaning("plain"), { kind: Kind.UNSPECIFIED, unit: "", description: "" });
  t.is(await meaning("not.seen.yet"), undefined);
  // It is not remembered as told either.
  await sender.metrics.writeMetrics({
    series: [seriesOf("not.seen.yet", {}, [now(), 1])],
    metadata: [{ metric: "not.seen.yet", unit: "s" }],
  });
  t.is((await meaning("not.seen.yet"))?.unit, "s");
});

test("metadata that says nothing new is not written again", async (t) => {
  const write = () =>
    sender.metrics.writeMetrics({
      series: [seriesOf("repeated", {}, [now(), 1])],
      metadata: [{ metric: "repeated", unit: "s" }],
    });
  const version = async () =>
    (await server.sql<{ xmin: string }>("select xmin from metrics where metric = 'repeated'"))[0]
      ?.xmin;
  await write();
  const first = await version();
  await write();
  await write();
  t.is(await version(), first);
});

test("each series has its newest point, if that is not too old", async (t) => {
  const at = now();
  await sender.metrics.writeMetrics({
    series: [
      seriesOf("newest", { host: "a" }, [at - 20_000, 1], [at - 10_000, 2], [at - 30_000, 3]),
      seriesOf("newest", { host: "b" }, [at - HOUR / 2, 4]),
      seriesOf("newest", { host: "c" }, [at - 2 * HOUR, 5]),
      seriesOf("newest", { host: "d" }, [at - 6 * 24 * HOUR, 6]),
      seriesOf("newest", { host: "e" }, [at + 5 * 60_000, 7]),
      seriesOf("newest", { host: "f" }, [at - 8 * 24 * HOUR, 8]),
    ],
  });
  // Of two at the newest time, the one that arrived first.
  await sender.metrics.writeMetrics({
    series: [seriesOf("newest", { host: "a" }, [at - 10_000, 9], [at - 40_000, 10])],
  });
  const latest = async (lookBackMs?: number) => {
    const { series } = await queries().listLatestValues({
      metric: "newest",
      ...(lookBackMs && { lookBack: durationFromMs(lookBackMs) }),
    });
    return series.map(shown).map(({ labels, points }) => [labels.host, ...points]);
  };
  const hour = [
    ["a", [at - 10_000, 2]],
    ["b", [at - HOUR / 2, 4]],
    ["e", [at + 5 * 60_000, 7]],
  ];
  t.deepEqual(await latest(), hour);
  t.deepEqual(await latest(HOUR), hour);
  t.deepEqual(
    (await latest(7 * 24 * HOUR)).map(([host]) => host),
    ["a", "b", "c", "d", "e"],
  );
  t.deepEqual(
    (await latest(1000)).map(([host]) => host),
    ["e"],
  );
});

test("the latest values of some series only, and of a metric that is not there", async (t) => {
  await sender.metrics.writeMetrics({
    series: ["a", "b"].map((host) => seriesOf("some", { host }, [now(), 1])),
  });
  const { metric, series } = await queries().listLatestValues({
    metric: "some",
    matchers: [{ label: "host", operation: LabelMatcher_Operation.NOT_EQUAL, value: "a" }],
  });
  t.is(metric?.metric, "some");
  t.deepEqual(
    series.map(({ labels }) => labels),
    [{ host: "b" }],
  );
  const none = await queries().listLatestValues({ metric: "nowhere" });
  t.is(none.metric, undefined);
  t.deepEqual(none.series, []);
});

test("every person may ask, and nobody else", async (t) => {
  const viewer = await addPerson(server, owner.token, Role.VIEWER);
  await t.notThrowsAsync(queries(viewer.token).listMetrics({}));
  const { code } = await refused(queries(sender.secret).listMetrics({}));
  t.is(code, Code.PermissionDenied);
});
