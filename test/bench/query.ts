import https from "node:https";
import { create, toBinary } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  QueryRangeRequest_Aggregation as Aggregation,
  MetricQueryService,
  LabelMatcher_Operation as Operation,
  QueryRangeRequestSchema,
} from "../../gen/lumetry/v1/metric_query_service_pb.js";
import { type Own, startOwn } from "./query/own.ts";
import { isInstalled, type Peer, startPrometheus, startVictoria } from "./query/peers.ts";
import { metricName } from "./query/points.ts";
import type { Section } from "./report.ts";

/** What was measured, and beside it its peers or what belongs to it. */
interface Row {
  what: string;
  value: string;
  limit?: string;
}

const tableOf = (rows: Row[], beside: string) => ({
  head: ["what", "Lumetry", beside],
  rows: rows.map(({ what, value, limit = "" }) => [what, value, limit]),
});

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const REPEATS = 25;
/** Asked before what is compared with peers is measured: ours is compiled as it runs. */
const WARM_QUERIES = 150;
const SERIES = 2_000;
/** Yesterday: a day that is over. */
const start = Math.floor(Date.now() / DAY - 1) * DAY;

/** `LUMETRY_BENCH_FULL=1` goes to a million series and a year, which takes a quarter of an hour. */
const FULL = process.env.LUMETRY_BENCH_FULL === "1";
const GROWTH_SERIES = FULL ? [10_000, 100_000, 1_000_000] : [10_000, 100_000];
const GROWTH_DAYS = FULL ? [1, 30, 365] : [1, 30];

const median = (times: number[]) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;

/** Milliseconds until all of the answer was there, of which the first `unmeasured` do not count. */
async function measure(
  ask: () => Promise<number>,
  unmeasured = 3,
): Promise<{ ms: number; bytes: number }> {
  const times: number[] = [];
  let bytes = 0;
  for (let repeat = -unmeasured; repeat < REPEATS; repeat += 1) {
    const begun = performance.now();
    bytes = await ask();
    if (repeat >= 0) times.push(performance.now() - begun);
  }
  return { ms: median(times), bytes };
}

/** Asks Lumetry over HTTPS, in the binary form that its clients use. */
function askOwn({ server, owner }: Own, agent: https.Agent) {
  const url = `${server.url}/${MetricQueryService.typeName}/QueryRange`;
  return (request: {
    metric: string;
    label?: [string, string];
    startMs: number;
    endMs: number;
    stepMs?: number;
  }) => {
    const { metric, label, startMs, endMs, stepMs = 60_000 } = request;
    const [name = "", value = ""] = label ?? [];
    const body = toBinary(
      QueryRangeRequestSchema,
      create(QueryRangeRequestSchema, {
        metric,
        matchers: label ? [{ label: name, operation: Operation.EQUAL, value }] : [],
        startTime: timestampFromMs(startMs),
        endTime: timestampFromMs(endMs),
        step: durationFromMs(stepMs),
        aggregation: Aggregation.LAST,
      }),
    );
    return new Promise<number>((resolve, reject) => {
      const sent = https.request(
        url,
        {
          method: "POST",
          agent,
          headers: {
            "content-type": "application/proto",
            authorization: `Bearer ${owner.token}`,
          },
        },
        (response) => {
          let bytes = 0;
          response.on("data", (chunk: Buffer) => {
            bytes += chunk.length;
          });
          response.on("end", () =>
            response.statusCode === 200
              ? resolve(bytes)
              : reject(new Error(`Lumetry answered ${response.statusCode}`)),
          );
        },
      );
      sent.on("error", reject);
      sent.end(body);
    });
  };
}

async function askPeer(peer: Peer, query: string, startMs: number, endMs: number): Promise<number> {
  const parameters = new URLSearchParams({
    query,
    start: String(startMs / 1000),
    end: String((endMs - 60_000) / 1000),
    step: "60",
    nocache: "1",
  });
  const response = await fetch(`${peer.url}/api/v1/query_range?${parameters}`);
  const text = await response.text();
  if (!text.includes('"values"')) throw new Error(`${peer.name}: ${text.slice(0, 200)}`);
  return text.length;
}

const ms = (value: number) => `${value.toFixed(1)} ms`;

/** How the same queries take longer with ever more series, and ever more days. */
export async function benchGrowth(): Promise<Section> {
  return {
    title: "Growth of what is stored",
    about: [
      "The same queries beside ever more series of one hour, and beside ever more days of 200 series, a point a minute.",
    ],
    tables: [
      tableOf(await benchSeries(), "and with it"),
      tableOf(await benchHistory(), "and with it"),
    ],
    notes: [],
  };
}

/** Bytes a point and two range queries, beside Prometheus and VictoriaMetrics. */
export async function benchQuery(): Promise<Section> {
  const steps = DAY / 60_000;
  const points = SERIES * steps;
  await using started = new AsyncDisposableStack();
  const own = started.use(await startOwn(30));
  await own.add({ from: 0, to: SERIES }, start, steps);
  await own.compact();
  const peers: Peer[] = [];
  for (const [program, startOne] of [
    ["prometheus", startPrometheus],
    ["victoria-metrics", startVictoria],
  ] as const) {
    if (await isInstalled(program)) peers.push(started.use(await startOne(SERIES, start, steps)));
  }
  const agent = new https.Agent({ keepAlive: true, ca: own.ca });
  started.defer(() => agent.destroy());
  const ask = askOwn(own, agent);
  const beside = (tell: (peer: Peer) => string) =>
    peers.map((peer) => `${peer.name}: ${tell(peer)}`).join(", ");

  const stored = (await own.bytes("chunks")) / points;
  const rollups = ((await own.bytes("rollups_5m")) + (await own.bytes("rollups_1h"))) / points;
  const rows: Row[] = [
    {
      what: `bytes a point on disk, ${SERIES} series over a day`,
      value: `${stored.toFixed(2)} B, and ${rollups.toFixed(2)} B of roll-ups`,
      limit: beside(
        ({ bytes }) =>
          `${(bytes / points).toFixed(2)} B (${(stored / (bytes / points)).toFixed(2)} times that)`,
      ),
    },
  ];
  const query = async (what: string, request: Parameters<typeof ask>[0], text: string) => {
    const mine = await measure(() => ask(request), WARM_QUERIES);
    const theirs: string[] = [];
    for (const peer of peers) {
      const askIt = () => askPeer(peer, text, request.startMs, request.endMs);
      const one = await measure(askIt, WARM_QUERIES);
      theirs.push(`${peer.name}: ${ms(one.ms)} (${(mine.ms / one.ms).toFixed(2)} times that)`);
    }
    rows.push({ what, value: ms(mine.ms), limit: theirs.join(", ") });
  };
  await query(
    "one series over 24 h at 60 s",
    { metric: metricName(1), label: ["series", "1321"], startMs: start, endMs: start + DAY },
    `${metricName(1)}{series="1321"}`,
  );
  await query(
    "1,000 series over 1 h at 60 s",
    { metric: metricName(0), startMs: start + 9 * HOUR, endMs: start + 10 * HOUR },
    metricName(0),
  );
  return {
    title: "Stored points and queries over them",
    about: [
      `The same ${SERIES.toLocaleString("en")} series of a day, a point a minute, in Lumetry, Prometheus and VictoriaMetrics; the median of ${REPEATS} queries each, after ${WARM_QUERIES} that are not measured, over HTTPS for Lumetry and HTTP for its peers.`,
    ],
    tables: [tableOf(rows, "beside it")],
    notes: [],
  };
}

/** The same queries, of an hour that is not over, beside ever more series. */
async function benchSeries(): Promise<Row[]> {
  const from = Date.now() - (Date.now() % HOUR) - HOUR;
  const rows: Row[] = [];
  await using own = await startOwn(30);
  const agent = new https.Agent({ keepAlive: true, ca: own.ca });
  const ask = askOwn(own, agent);
  let added = 0;
  for (const series of GROWTH_SERIES) {
    const begun = performance.now();
    for (; added < series; added += 10_000) {
      await own.add({ from: added, to: added + 10_000 }, from, 60);
      await own.compact();
    }
    const seconds = (performance.now() - begun) / 1000;
    const one = await measure(() =>
      ask({ metric: metricName(1), label: ["series", "1"], startMs: from, endMs: from + HOUR }),
    );
    const host = await measure(() =>
      ask({ metric: metricName(0), label: ["host", "host-7"], startMs: from, endMs: from + HOUR }),
    );
    rows.push({
      what: `with ${series.toLocaleString("en")} series, one series over 1 h`,
      value: ms(one.ms),
      limit: `by host ${ms(host.ms)}; loaded and compacted in ${seconds.toFixed(0)} s`,
    });
  }
  agent.destroy();
  return rows;
}

/** The same queries, of 200 series, beside ever more days. */
async function benchHistory(): Promise<Row[]> {
  const rows: Row[] = [];
  const days = GROWTH_DAYS.at(-1) ?? 1;
  await using own = await startOwn(days + 35);
  const agent = new https.Agent({ keepAlive: true, ca: own.ca });
  const ask = askOwn(own, agent);
  let added = 0;
  for (const until of GROWTH_DAYS) {
    for (; added < until; added += 1) {
      await own.add({ from: 0, to: 200 }, start - added * DAY, DAY / 60_000);
      if (added % 5 === 4 || added + 1 === until) await own.compact();
    }
    const label: [string, string] = ["series", "11"];
    const metric = metricName(1);
    const day = await measure(() => ask({ metric, label, startMs: start, endMs: start + DAY }));
    const all = await measure(() =>
      ask({ metric, label, startMs: start - (until - 1) * DAY, endMs: start + DAY, stepMs: HOUR }),
    );
    rows.push({
      what: `with ${until} days of 200 series, one over 24 h at 60 s`,
      value: ms(day.ms),
      limit: `over all of it at 1 h ${ms(all.ms)}`,
    });
  }
  agent.destroy();
  return rows;
}
