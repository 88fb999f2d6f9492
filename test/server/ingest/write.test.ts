import https from "node:https";
import { Code } from "@connectrpc/connect";
import test from "ava";
import { MetricsService } from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { addCollector } from "../../support/collector.ts";
import { addSender, pointsOf, seriesOf, type TestSender } from "../../support/points.ts";
import { refused } from "../../support/refusal.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;

let server: TestServer;
let owner: Owner;
let sender: TestSender;
const now = Date.now();

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  sender = await addSender(server, owner.token);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const stored = (metric: string) => pointsOf(server, owner.token, metric);

const good: [number, number] = [now, 1];
const labels = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`label_${index}`, "x"]));

test("what is written can be read, to the millisecond and to the bit", async (t) => {
  const values = [0, -0, 1e308, -1e308, 5e-324, 2 ** 53 + 2, 0.1];
  const points = values.map((value, at): [number, number] => [now - 1000 + at, value]);
  const answer = await sender.metrics.writeMetrics({
    series: [seriesOf("exact", { host: "a" }, ...points)],
  });
  t.is(answer.acceptedPoints, 7n);
  t.is(answer.refusedPoints, 0n);
  t.deepEqual(answer.refusals, []);
  const [read] = await stored("exact");
  t.deepEqual(read?.points, points);
  t.true(read?.points.every(([, value], at) => Object.is(value, values[at])));
});

test("what is finer than a millisecond is cut off", async (t) => {
  const time = { seconds: BigInt(Math.floor(now / 1000)), nanos: 7_999_999 };
  await sender.metrics.writeMetrics({ series: [{ metric: "fine", points: [{ time, value: 1 }] }] });
  t.deepEqual(await stored("fine"), [
    { labels: {}, points: [[Math.floor(now / 1000) * 1000 + 7, 1]] },
  ]);
});

test("names and values at their limits are kept as they are", async (t) => {
  const metric = `A_:.9${"z".repeat(250)}`;
  const given = {
    ...labels(57),
    ["n".repeat(128)]: "v".repeat(1024),
    __proto: "1",
    constructor: "2",
    rtl: "שלום‮",
    nfc: "é",
    nfd: "é",
  };
  Object.defineProperty(given, "__proto__", { value: "own", enumerable: true });
  const answer = await sender.metrics.writeMetrics({ series: [seriesOf(metric, given, good)] });
  t.deepEqual(answer.refusals, []);
  const [read] = await stored(metric);
  t.deepEqual(Object.entries(read?.labels ?? {}).sort(), Object.entries(given).sort());
});

test("a label without a value is no label, and the order of labels means nothing", async (t) => {
  const write = (given: Record<string, string>, at: number) =>
    sender.metrics.writeMetrics({ series: [seriesOf("same", given, [now + at, at])] });
  await write({ a: "1", b: "2" }, 1);
  await write({ b: "2", a: "1" }, 2);
  await write({ c: "", b: "2", a: "1" }, 3);
  t.deepEqual(await stored("same"), [
    {
      labels: { a: "1", b: "2" },
      points: [
        [now + 1, 1],
        [now + 2, 2],
        [now + 3, 3],
      ],
    },
  ]);
});

test("of several points at one time the first that arrived is kept", async (t) => {
  const write = (...points: [number, number][]) =>
    sender.metrics.writeMetrics({
      series: [seriesOf("twice", {}, ...points), seriesOf("twice", {}, [now, 7])],
    });
  const answer = await write([now, 1], [now, 2], [now - 5, 3]);
  t.is(answer.acceptedPoints, 4n);
  await write([now, 5], [now - 5, 6], [now + 5, 8]);
  t.deepEqual((await stored("twice"))[0]?.points, [
    [now - 5, 3],
    [now, 1],
    [now + 5, 8],
  ]);
});

test("a collector's series carry its id, and nobody else's do", async (t) => {
  const [one, two] = [await addCollector(server, owner), await addCollector(server, owner)];
  const write = (client: typeof one.metrics) =>
    client.writeMetrics({ series: [seriesOf("whose", { host: "a" }, good)] });
  await Promise.all([write(one.metrics), write(two.metrics), write(sender.metrics)]);
  const owners = (await stored("whose")).map(
    (series) => series.labels["lumetry.collector_id"] ?? "nobody",
  );
  t.deepEqual(owners.sort(), [one.collectorId, two.collectorId, "nobody"].sort());
  const forged = await one.metrics.writeMetrics({
    series: [seriesOf("whose", { "lumetry.collector_id": two.collectorId }, good)],
  });
  t.is(forged.refusedPoints, 1n);
});

test("the labels of a key win over what is sent with it", async (t) => {
  const gateway = await addSender(server, owner.token, { site: "north", empty: "" });
  await gateway.metrics.writeMetrics({
    series: [
      seriesOf("sites", { site: "south", empty: "no", room: "1" }, good),
      seriesOf("sites", { room: "2" }, good),
    ],
  });
  t.deepEqual(
    (await stored("sites")).map((series) => series.labels),
    [
      { site: "north", room: "1" },
      { site: "north", room: "2" },
    ],
  );
});

test("a clock that is an hour off loses nothing once its offset is told", async (t) => {
  for (const [metric, offset] of [
    ["ahead", 3600],
    ["behind", -3600],
  ] as const) {
    const there = Date.now() + offset * 1000;
    const series = [
      seriesOf(metric, {}, [there - 30 * DAY + 5 * MINUTE, 1], [there, 2], [there + 9 * MINUTE, 3]),
    ];
    const answer = await sender.metrics.writeMetrics({
      series,
      clockOffset: { seconds: BigInt(offset) },
    });
    t.is(answer.acceptedPoints, 3n, metric);
    t.deepEqual((await stored(metric))[0]?.points, [
      [there - 30 * DAY + 5 * MINUTE, 1],
      [there, 2],
      [there + 9 * MINUTE, 3],
    ]);
  }
  const ahead = Date.now() + 60 * MINUTE;
  const untold = await sender.metrics.writeMetrics({
    series: [seriesOf("untold", {}, [ahead, 1])],
  });
  t.is(untold.refusals[0]?.reason, "more than 10 minutes in the future");
});

test("no offset of a clock takes a point out of the time that there is", async (t) => {
  const year = 365 * 24 * 3600;
  const outside = async (offset: number) => {
    const answer = await sender.metrics.writeMetrics({
      series: [seriesOf("eras", {}, [Date.now() + offset * 1000, 1])],
      clockOffset: { seconds: BigInt(offset) },
    });
    return answer.refusals[0]?.reason;
  };
  t.is(await outside(-60 * year), "before 1970 or after 9999");
  t.is(await outside(8_000 * year), "before 1970 or after 9999");
  t.is(await outside(-10 * year), undefined);
});

test("a series with nothing to keep does not enter the catalog", async (t) => {
  await sender.metrics.writeMetrics({
    series: [
      seriesOf("ghost", {}),
      seriesOf("ghost", { a: "1" }, [now, Number.NaN]),
      seriesOf("ghost", { a: "2" }, [now - 40 * DAY, 1]),
    ],
    metadata: [{ metric: "ghost", unit: "s" }],
  });
  const ghosts = await server.sql("select 1 from metrics where metric = 'ghost'");
  t.deepEqual(ghosts, []);
});

test("plain JSON will do", async (t) => {
  const response = await fetchJson({
    series: [
      {
        metric: "curl",
        labels: { a: "b" },
        points: [
          { time: new Date(now).toISOString(), value: 1.5 },
          { time: new Date(now).toISOString(), value: "NaN" },
        ],
      },
    ],
  });
  t.deepEqual(response, {
    acceptedPoints: "1",
    refusedPoints: "1",
    refusals: [{ pointIndexes: [1], reason: "not a finite number" }],
  });
});

async function fetchJson(body: object): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const request = https.request(
    `${server.url}/${MetricsService.typeName}/WriteMetrics`,
    {
      method: "POST",
      ca: server.ca,
      headers: { "content-type": "application/json", authorization: `Bearer ${sender.secret}` },
    },
    async (response) => {
      try {
        resolve(JSON.parse(Buffer.concat(await response.toArray()).toString()));
      } catch (error) {
        reject(error);
      }
    },
  );
  request.on("error", reject);
  request.end(JSON.stringify(body));
  return promise;
}

test("people write no points", async (t) => {
  const { code } = await refused(server.client(MetricsService, owner.token).writeMetrics({}));
  t.is(code, Code.PermissionDenied);
});
