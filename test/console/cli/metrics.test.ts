import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import test from "ava";
import {
  MetricMetadata_Kind as Kind,
  MetricsService,
} from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { IngestionKeyService } from "../../../gen/lumetry/v1/ingestion_key_service_pb.js";
import {
  ListLatestValuesResponseSchema,
  ListMetricsResponseSchema,
  QueryRangeResponseSchema,
} from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import { as, openShell, type Shell } from "../../support/cli.ts";
import { addCollector } from "../../support/collector.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

const MINUTE = 60_000;

let server: TestServer;
let owner: Owner;
let shell: Shell;

/** An hour of a sawtooth on two hosts, with a gap of twenty minutes on the first. */
test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  shell = await openShell();
  const { secret } = await server
    .client(IngestionKeyService, owner.token)
    .createIngestionKey({ displayName: "test" });
  const now = Date.now();
  const points = (scale: number, gap: boolean) =>
    Array.from({ length: 55 }, (_point, index) => ({
      time: timestampFromMs(now - (55 - index) * MINUTE),
      value: scale * (index % 10),
    })).filter((_point, index) => !gap || index < 15 || index >= 35);
  await server.client(MetricsService, secret).writeMetrics({
    batchId: "b1",
    series: [
      {
        metric: "demo.memory.usage",
        labels: { host: "a", site: "lyon" },
        points: points(2 ** 30, true),
      },
      {
        metric: "demo.memory.usage",
        labels: { host: "b", site: "lyon" },
        points: points(2 ** 31, false),
      },
    ],
    metadata: [
      { metric: "demo.memory.usage", kind: Kind.GAUGE, unit: "By", description: "Memory in use." },
    ],
  });
});

test.after.always(async () => {
  await shell?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const asOwner = () => ({ environment: as(server, owner.token) });
const type = (...args: string[]) => shell.lumetry(args, asOwner());

test("metrics are listed with their meaning, and found by a part of their name", async (t) => {
  const { stdout, stderr } = await type("metrics", "list");
  t.regex(stdout, /demo\.memory\.usage +gauge +By +2 +Memory in use\.\n/, stderr);
  const { metrics } = await shell.ask(
    ListMetricsResponseSchema,
    ["metrics", "list", "nothing like it"],
    asOwner(),
  );
  t.deepEqual(metrics, []);
});

test("the latest values come with their ages", async (t) => {
  const { stdout, stderr } = await type("metrics", "latest", "demo.memory.usage");
  t.regex(stdout, /4 GiB +\d+ \w+ ago +host=a\n/, stderr);
  t.regex(stdout, /8 GiB +\d+ \w+ ago +host=b\n/);
  t.regex(stdout, /\nall with .*site=lyon/);
  const { series } = await shell.ask(
    ListLatestValuesResponseSchema,
    ["metrics", "latest", "demo.memory.usage", "-l", "host!=b"],
    asOwner(),
  );
  t.deepEqual(
    series.map(({ labels }) => labels.host),
    ["a"],
  );
});

test("a query draws the series that are asked for, with the gap as a gap", async (t) => {
  const one = await type("metrics", "query", "demo.memory.usage", "-l", "host=a");
  t.regex(one.stdout, /^demo\.memory\.usage · as measured · .*host=a/, one.stderr);
  t.regex(one.stdout, /\n10 GiB ┤/);
  t.regex(one.stdout, /\n +1 hour ago +now\n/);
  t.regex(one.stdout, /[\u2801-\u28ff] {20,}[\u2801-\u28ff]/);
  t.regex(one.stdout, /╌╌ no points in that time/);

  const both = await type("metrics", "query", "demo.memory.usage", "--ascii", "--since", "1h");
  t.regex(both.stdout, /^[\n\x20-\x7e]*$/);
  t.regex(both.stdout, /\* host=a +4 GiB +\d+ \w+ ago {2}min 0 B/);
  t.regex(both.stdout, /o host=b +8 GiB/);
});

test("a collector's series go by its name, and are found by it", async (t) => {
  const point = { time: timestampFromMs(Date.now() - MINUTE), value: 3 };
  for (const name of ["edge-1", "edge-2"]) {
    const { metrics } = await addCollector(server, owner, name);
    await metrics.writeMetrics({
      batchId: name,
      series: [{ metric: "demo.threads", labels: {}, points: [point] }],
      metadata: [{ metric: "demo.threads", kind: Kind.GAUGE, unit: "{thread}" }],
    });
  }
  const both = await type("metrics", "latest", "demo.threads");
  t.regex(both.stdout, /3 +\d+ \w+ ago +collector=edge-1\n/, both.stderr);
  const one = await type("metrics", "query", "demo.threads", "--collector", "EDGE-2");
  t.regex(one.stdout, /^demo\.threads · threads · as measured · collector=edge-2\n/, one.stderr);
});

test("points are combined in steps", async (t) => {
  const args = ["metrics", "query", "demo.memory.usage", "-l", "host=b", "--since", "2h"];
  const raw = await shell.ask(QueryRangeResponseSchema, args, asOwner());
  t.is(raw.series[0]?.points.length, 55);
  const most = await shell.ask(
    QueryRangeResponseSchema,
    [...args, "--step", "10m", "--agg", "max"],
    asOwner(),
  );
  const points = most.series[0]?.points ?? [];
  t.true(points.length >= 5 && points.length <= 7);
  t.is(Math.max(...points.map(({ value }) => value)), 9 * 2 ** 31);
  const drawn = await type(...args.slice(0, 3), "--step", "10m", "--agg", "count");
  t.regex(drawn.stdout, /points · count over 10 minutes/, drawn.stderr);
});

test("series are combined by labels, picked by conditions, and their growth is told", async (t) => {
  const args = ["metrics", "query", "demo.memory.usage", "--step", "10m"];
  const sum = await shell.ask(
    QueryRangeResponseSchema,
    [...args, "--by", "site", "--group", "sum", "--agg", "max"],
    asOwner(),
  );
  t.deepEqual(
    sum.series.map(({ labels }) => labels),
    [{ site: "lyon" }],
  );
  t.is(Math.max(...(sum.series[0]?.points ?? []).map(({ value }) => value)), 27 * 2 ** 30);
  const top = await type(...args, "--group", "top1");
  t.regex(top.stdout, /average over 10 minutes · top1 of series/, top.stderr);
  t.regex(top.stdout, /host=b/);
  t.notRegex(top.stdout, /host=a/);
  for (const condition of ["host=~a|x", "host!~b", "host in (a, c)", "host not in (b)"]) {
    const { series } = await shell.ask(
      QueryRangeResponseSchema,
      [...args, "--match", condition],
      asOwner(),
    );
    t.deepEqual(
      series.map(({ labels }) => labels.host),
      ["a"],
      condition,
    );
  }
  const rate = await type(...args, "--match", "host=b", "--rate");
  t.regex(rate.stdout, /rate over 10 minutes/, rate.stderr);
  const bad = await type(...args, "--match", "host=~(a");
  t.regex(bad.stderr, /"host" is no regular expression: missing closing \)/);
  const unknown = await type(...args, "--agg", "mode");
  t.regex(unknown.stderr, /Choose from avg, min, max, sum, count, last, rate, increase, p95/);
});

test("the catalog is shown, searched and exported", async (t) => {
  const shown = await type("metrics", "show", "demo.memory.usage");
  t.regex(shown.stdout, /kind +gauge/, shown.stderr);
  const found = await type("metrics", "search", "LYON");
  t.regex(found.stdout, /Values\n {2}site=lyon/, found.stderr);
  t.regex((await type("metrics", "search", "zebra")).stdout, /Nothing contains "zebra"/);
  const labels = await type("metrics", "labels", "demo.memory.usage");
  t.regex(labels.stdout, /host +2 +2\n/, labels.stderr);
  const values = await type("metrics", "labels", "--values", "host");
  t.regex(values.stdout, /a +1\n/, values.stderr);
  const series = await type("metrics", "series", "demo.memory.usage", "--match", "host=a");
  t.regex(series.stdout, /host=a site=lyon/, series.stderr);
  const { stdout } = await type("metrics", "export", "demo.memory.usage", "--since", "2h");
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const points = lines.flatMap(({ series: some = [] }) =>
    some.flatMap((one: { points: unknown[] }) => one.points),
  );
  t.is(points.length, 55 + 35);
  const none = await type("metrics", "show", "no.such.metric");
  t.regex(none.stderr, /no metric "no\.such\.metric"/);
});

test("a query that cannot be meant says so", async (t) => {
  const both = await type("metrics", "query", "x", "--since", "1h", "--from", "2h");
  t.is(both.code, 2);
  t.regex(both.stderr, /Use --since or --from, not both\./);
  const bad = await type("metrics", "query", "x", "--since", "soon");
  t.is(bad.code, 2);
  t.regex(bad.stderr, /'--since <span>' argument 'soon' is invalid\. It is not a span of time/);
  const none = await type("metrics", "query", "no.such.metric");
  t.is(none.code, 0);
  t.regex(none.stdout, /There are no points of no\.such\.metric in that time\./);
});
