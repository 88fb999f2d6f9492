import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import test from "ava";
import { Counter, Gauge, Histogram, Registry, Summary } from "prom-client";
import { readPrometheusText } from "../../../../collector/work/kinds/prometheus-text.ts";
import { findFreePort } from "../../../support/free-port.ts";
import { pollOnce } from "../../../support/polling.ts";
import { startHttpTarget } from "../../../support/target.ts";

const TEXT = "text/plain; version=0.0.4; charset=utf-8";
const OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const COUNTER = 2;
const GAUGE = 1;

async function scrape(body: string, type = TEXT, settings = {}) {
  await using target = await startHttpTarget((_, response) => {
    response.setHeader("content-type", type).end(body);
  });
  const http = { url: `${target.url}/metrics` };
  return await pollOnce({ case: "prometheusScrape", value: { http, ...settings } });
}

const meaning = (seen: Awaited<ReturnType<typeof scrape>>, metric: string) => {
  const found = seen.reading.metadata.find((entry) => entry.metric === metric);
  return found && [found.kind, found.unit, found.description];
};

test("samples keep names, labels, escapes and values, and metrics their kind, unit and help", async (t) => {
  const seen = await scrape(
    [
      "# HELP http_requests_total The number of \\\\ requests.\\nIn two lines.",
      "# TYPE http_requests_total counter",
      'http_requests_total{method="post",path="C:\\\\DIR\\\\",say="\\"hi\\"\\n",} 1027 1395066363000',
      'http_requests_total{ method = "get" } 3.0e+0',
      "",
      "# a comment, and one with less",
      "#",
      "# TYPE room_temperature_celsius gauge",
      "room_temperature_celsius -0.5",
      "no_type_bytes 0x10",
      '{"quoted.name", label="x"} 7',
      "\t spaced   4 \t ",
      "windows_line 5\r",
    ].join("\n"),
  );
  t.is(seen.failure, "");
  t.deepEqual(seen.values, {
    'http_requests_total{method="post",path="C:\\DIR\\",say=""hi"\n"}': 1027,
    'http_requests_total{method="get"}': 3,
    room_temperature_celsius: -0.5,
    no_type_bytes: 16,
    'quoted.name{label="x"}': 7,
    spaced: 4,
    windows_line: 5,
  });
  t.deepEqual(meaning(seen, "http_requests_total"), [
    COUNTER,
    "",
    "The number of \\ requests.\nIn two lines.",
  ]);
  t.deepEqual(meaning(seen, "room_temperature_celsius"), [GAUGE, "Cel", ""]);
  t.deepEqual(meaning(seen, "no_type_bytes"), [GAUGE, "By", ""]);
  // All of the scheduled time, whatever the endpoint says.
  t.true(seen.reading.series.every(({ points }) => points[0]?.time === undefined));
  t.is(seen.facts.samples, "7");
});

test("the endpoint's own times are kept where that is wanted", async (t) => {
  const classic = await scrape("a 1 1395066363000\nb 2", TEXT, { keepTimestamps: true });
  t.deepEqual(
    classic.reading.series.map(({ points }) => points[0]?.time?.seconds),
    [1395066363n, undefined],
  );
  const open = await scrape("a 1 1395066363.25\n# EOF\n", OPEN, { keepTimestamps: true });
  t.deepEqual(open.reading.series[0]?.points[0]?.time?.nanos, 250_000_000);
});

test("histograms and summaries become their series, those that are no number left out", async (t) => {
  const seen = await scrape(
    [
      "# TYPE d_seconds histogram",
      'd_seconds_bucket{le="0.1"} 3',
      'd_seconds_bucket{le="+Inf"} 4',
      "d_seconds_sum 0.7",
      "d_seconds_count 4",
      "# TYPE q_seconds summary",
      'q_seconds{quantile="0.5"} NaN',
      'q_seconds{quantile="0.9"} +Inf',
      "q_seconds_sum 1",
      "q_seconds_count 2",
    ].join("\n"),
  );
  t.deepEqual(Object.keys(seen.values), [
    'd_seconds_bucket{le="0.1"}',
    'd_seconds_bucket{le="+Inf"}',
    "d_seconds_sum",
    "d_seconds_count",
    "q_seconds_sum",
    "q_seconds_count",
  ]);
  t.deepEqual(meaning(seen, "d_seconds_bucket"), [COUNTER, "1", ""]);
  t.deepEqual(meaning(seen, "d_seconds_sum"), [COUNTER, "s", ""]);
  t.is(seen.facts["samples left out"], "2 are no finite number");
});

test("of OpenMetrics, exemplars are left out, units are kept, and an answer without its end was cut short", async (t) => {
  const lines = [
    "# TYPE foo_seconds counter",
    "# UNIT foo_seconds seconds",
    "# HELP foo_seconds Time.",
    'foo_seconds_total{a="b"} 17.0 1520879607.789 # {trace_id="x # y"} 0.67 1520879607',
    "foo_seconds_created 1520430000.123",
    'bar_bucket{le="1"} 2 # {id="1"} 0.5',
  ];
  const seen = await scrape(`${lines.join("\n")}\n# EOF\n`, OPEN);
  t.deepEqual(seen.values, {
    'foo_seconds_total{a="b"}': 17,
    foo_seconds_created: 1520430000.123,
    'bar_bucket{le="1"}': 2,
  });
  t.deepEqual(meaning(seen, "foo_seconds_total"), [COUNTER, "s", "Time."]);
  t.deepEqual(meaning(seen, "foo_seconds_created")?.[0], GAUGE);
  const cut = await scrape(`${lines.slice(0, 4).join("\n")}\n`, OPEN);
  t.false(cut.up);
  t.regex(cut.failure, /cut short/);
  t.deepEqual(cut.values, {});
});

test("what cannot be read is named by its line, and nothing of it is kept", async (t) => {
  const cases: Record<string, RegExp> = {
    "a 1\nb": /line 2 has no value: "b"/,
    "a 1\nb one": /line 2 has a value that is no number: "b one"/,
    'a{b="c} 1': /line 1 has a quote that does not end/,
    "a{b} 1": /line 1 has a label without a value/,
    "a{b=c} 1": /line 1 has a label without a quoted value/,
    'a{b="c" d="e"} 1': /line 1 has labels that do not end/,
    "a 1 2 3": /line 1 goes on after its time/,
    "a 1 soon": /line 1 has a time that is none/,
    "a 1 1e300": /line 1 has a time that is none/,
    '{b="c"} 1': /line 1 has no metric name/,
    "<html>": /line 1 has no metric name/,
  };
  for (const [body, words] of Object.entries(cases)) {
    const seen = await scrape(body);
    t.false(seen.up, body);
    t.regex(seen.failure, words);
    t.deepEqual(seen.values, {}, body);
  }
});

test("a page, an error and too much are told apart from metrics", async (t) => {
  t.regex((await scrape("<p>Sign in", "text/html")).failure, /text\/html, which is no format/);
  t.regex((await scrape("a 1\nb 2\nc 3", TEXT, { mostSamples: 2 })).failure, /more than 2 samples/);
  t.deepEqual((await scrape("a 1\nb 2\nc 3", TEXT, { metricPrefixes: ["b"] })).values, { b: 2 });
  await using target = await startHttpTarget((request, response) => {
    if (request.url === "/away") response.writeHead(302, { location: "http://10.0.0.1/" }).end();
    else if (request.url === "/big") response.end("a 1\n".repeat(10_000));
    else if (request.url === "/bomb") {
      response.setHeader("content-encoding", "gzip").end(gzipSync(Buffer.alloc(5_000_000)));
    } else response.writeHead(503).end();
  });
  const poll = (path: string, http = {}) =>
    pollOnce({ case: "prometheusScrape", value: { http: { url: target.url + path, ...http } } });
  t.is((await poll("/")).failure, "answered with status 503");
  t.regex(
    (await poll("/away")).failure,
    /status 302, a redirect to http:\/\/10.0.0.1\/, which is not followed/,
  );
  t.regex((await poll("/big", { mostBodyBytes: 1000 })).failure, /more than 1000 bytes/);
  t.regex((await poll("/bomb", { mostBodyBytes: 1_000_000 })).failure, /more than 1000000 bytes/);
});

test("what a real client library exposes arrives as it was counted, in both formats", async (t) => {
  for (const contentType of [Registry.PROMETHEUS_CONTENT_TYPE, Registry.OPENMETRICS_CONTENT_TYPE]) {
    const registry = new Registry();
    registry.setContentType(contentType as typeof Registry.PROMETHEUS_CONTENT_TYPE);
    const registers = [registry];
    const labelNames = ["way"];
    const counter = new Counter({ name: "calls", help: "Calls", labelNames, registers });
    const gauge = new Gauge({ name: "depth", help: 'A "quoted" help', labelNames, registers });
    const buckets = [0.1, 1];
    const histogram = new Histogram({ name: "took_seconds", help: "h", buckets, registers });
    const summary = new Summary({ name: "size_bytes", help: "s", percentiles: [0.5], registers });
    counter.inc({ way: 'a "b" \\ c' }, 3);
    gauge.set({ way: "x\ny" }, -1.5);
    for (const value of [0.05, 0.5, 5]) histogram.observe(value);
    for (const value of [1, 2, 3]) summary.observe(value);
    const seen = await scrape(await registry.metrics(), contentType);
    t.is(seen.failure, "");
    const calls = contentType === Registry.OPENMETRICS_CONTENT_TYPE ? "calls_total" : "calls";
    t.is(seen.values[`${calls}{way="a "b" \\ c"}`], 3);
    t.is(seen.values['depth{way="x\ny"}'], -1.5);
    t.is(seen.values['took_seconds_bucket{le="1"}'], 2);
    t.is(seen.values['took_seconds_bucket{le="+Inf"}'], 3);
    t.is(seen.values.took_seconds_sum, 5.55);
    t.is(seen.values['size_bytes{quantile="0.5"}'], 2);
    t.is(meaning(seen, calls)?.[0], COUNTER);
    t.is(meaning(seen, "took_seconds_bucket")?.[0], COUNTER);
    t.is(meaning(seen, "depth")?.[2], 'A "quoted" help');
  }
});

const hasNodeExporter = (() => {
  try {
    execFileSync("prometheus-node-exporter", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

(hasNodeExporter ? test : test.skip)(
  "the whole output of node_exporter is read (apt-get install prometheus-node-exporter)",
  async (t) => {
    const port = await findFreePort();
    const flags = [`--web.listen-address=127.0.0.1:${port}`, "--log.level=error"];
    const exporter = spawn("prometheus-node-exporter", flags, { stdio: "ignore" });
    try {
      const http = { url: `http://127.0.0.1:${port}/metrics` };
      let seen = await pollOnce({ case: "prometheusScrape", value: { http } });
      while (!seen.up && /refused the connection/.test(seen.failure)) {
        await wait(100);
        seen = await pollOnce({ case: "prometheusScrape", value: { http } });
      }
      t.is(seen.failure, "");
      const body = await (await fetch(http.url)).text();
      const lines = body.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
      const left = Number(/^\d+/.exec(seen.facts["samples left out"] ?? "0")?.[0] ?? 0);
      // Collectors that come and go move a few series between the two answers.
      t.true(Math.abs(seen.reading.series.length + left - lines.length) < 20);
      t.true(seen.reading.series.length > 200);
      t.deepEqual(meaning(seen, "node_cpu_seconds_total")?.slice(0, 2), [COUNTER, "s"]);
      t.true((seen.values.node_load1 ?? -1) >= 0);
    } finally {
      exporter.kill();
      await once(exporter, "exit");
    }
  },
);

test("an exposition is read in time that grows with its length only", (t) => {
  const nasty = [`a{b="${"\\".repeat(200_000)}`, `a{${" ".repeat(200_000)}`, "{".repeat(200_000)];
  for (const text of nasty) {
    t.throws(() => readPrometheusText(text, false, { sample() {}, told() {} }));
  }
  let samples = 0;
  const line = `m{a="${"x".repeat(50)}",b="y"} 1\n`;
  readPrometheusText(line.repeat(100_000), false, { sample: () => samples++, told() {} });
  t.is(samples, 100_000);
});
