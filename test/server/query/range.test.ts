import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import test from "ava";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import {
  QueryRangeRequest_Aggregation as Aggregation,
  LabelMatcher_Operation,
  MetricQueryService,
} from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import { joinSegment, makeBatchPacker } from "../../../server/log/segment-format.ts";
import { addRun } from "../../support/log.ts";
import { addSender, pointsOf, seriesOf, shown, type TestSender } from "../../support/points.ts";
import { refused } from "../../support/refusal.ts";
import {
  addWorkspace,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../../support/server.ts";

const { EQUAL, NOT_EQUAL } = LabelMatcher_Operation;
const MINUTE = 60_000;
const DAY = 86_400_000;
/** A full minute, two days ago. */
const start = Math.floor((Date.now() - 2 * DAY) / MINUTE) * MINUTE;

let server: TestServer;
let owner: Owner;
let sender: TestSender;

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  sender = await addSender(server, owner.token);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const queries = () => server.client(MetricQueryService, owner.token);
const between = (startMs: number, endMs: number) => ({
  startTime: timestampFromMs(startMs),
  endTime: timestampFromMs(endMs),
});
const seconds = (count: number) => ({ seconds: BigInt(count) });

test("a span begins with its start and ends before its end", async (t) => {
  const points = [0, 1, 2, 3].map((at): [number, number] => [start + at, at]);
  await sender.metrics.writeMetrics({ series: [seriesOf("edges", {}, ...points)] });
  const values = async (from: number, to: number) =>
    (await pointsOf(server, owner.token, "edges", start + from, start + to))[0]?.points.map(
      ([, value]) => value,
    );
  t.deepEqual(await values(0, 4), [0, 1, 2, 3]);
  t.deepEqual(await values(1, 3), [1, 2]);
  t.deepEqual(await values(3, 4), [3]);
  t.is(await values(4, 5), undefined);
  t.is(await values(-5, 0), undefined);
  // Times finer than what is kept: a point at 1 ms is before 1.5 ms and not before 0.5 ms.
  const fine = await queries().queryRange({
    metric: "edges",
    startTime: { ...timestampFromMs(start), nanos: timestampFromMs(start).nanos + 500_000 },
    endTime: { ...timestampFromMs(start), nanos: timestampFromMs(start).nanos + 1_500_000 },
  });
  t.deepEqual(fine.series.map(shown)[0]?.points, [[start + 1, 1]]);
});

test("batches that come late, out of order or over long spans are all found, in order of time", async (t) => {
  const write = (...points: [number, number][]) =>
    sender.metrics.writeMetrics({ series: [seriesOf("late", {}, ...points)] });
  await write([start + 5 * MINUTE, 5]);
  await write([start + 3 * MINUTE, 3], [start + 4 * MINUTE, 4]);
  await write([start + DAY, 99], [start - 20 * DAY, -1], [start, 0]);
  await write([start + 2 * MINUTE, 2], [start + MINUTE, 1]);
  const all = await pointsOf(server, owner.token, "late");
  t.deepEqual(
    all[0]?.points.map(([, value]) => value),
    [-1, 0, 1, 2, 3, 4, 5, 99],
  );
  const some = await pointsOf(server, owner.token, "late", start, start + 3 * MINUTE);
  t.deepEqual(
    some[0]?.points.map(([, value]) => value),
    [0, 1, 2],
  );
});

test("labels select series; a missing one counts as empty", async (t) => {
  const hosts = [{ host: "a", disk: "1" }, { host: "a" }, { host: "b", disk: "1" }];
  await sender.metrics.writeMetrics({
    series: hosts.map((labels) => seriesOf("select", labels, [start, 1])),
  });
  const found = async (...matchers: [string, LabelMatcher_Operation, string][]) => {
    const { series } = await queries().queryRange({
      metric: "select",
      matchers: matchers.map(([label, operation, value]) => ({ label, operation, value })),
      ...between(start, start + 1),
    });
    return series.map(({ labels }) => labels);
  };
  t.deepEqual(await found(), hosts);
  t.deepEqual(await found(["host", EQUAL, "a"]), hosts.slice(0, 2));
  t.deepEqual(await found(["host", NOT_EQUAL, "a"]), hosts.slice(2));
  t.deepEqual(await found(["disk", EQUAL, ""]), [hosts[1]]);
  t.deepEqual(await found(["disk", NOT_EQUAL, ""]), [hosts[0], hosts[2]]);
  t.deepEqual(await found(["host", EQUAL, "a"], ["disk", EQUAL, "1"]), [hosts[0]]);
  t.deepEqual(await found(["none", NOT_EQUAL, "x"]), hosts);
  t.deepEqual(await found(["none", EQUAL, "x"]), []);
});

test("a step makes one value of its points, at its start, by the clock since 1970", async (t) => {
  const points: [number, number][] = [
    [start + 10_000, 4],
    [start + 20_000, 1],
    [start + 59_999, 7],
    [start + 3 * MINUTE, -2],
  ];
  await sender.metrics.writeMetrics({ series: [seriesOf("steps", {}, ...points)] });
  const by = async (aggregation: Aggregation) => {
    const { series } = await queries().queryRange({
      metric: "steps",
      ...between(start + 1, start + DAY),
      step: seconds(60),
      aggregation,
    });
    return series.map(shown)[0]?.points;
  };
  const minutes = [start, start + 3 * MINUTE];
  const expected: [Aggregation, number, number][] = [
    [Aggregation.UNSPECIFIED, 4, -2],
    [Aggregation.AVERAGE, 4, -2],
    [Aggregation.MINIMUM, 1, -2],
    [Aggregation.MAXIMUM, 7, -2],
    [Aggregation.SUM, 12, -2],
    [Aggregation.COUNT, 3, 1],
    [Aggregation.LAST, 7, -2],
  ];
  for (const [aggregation, ...values] of expected) {
    t.deepEqual(
      await by(aggregation),
      minutes.map((ms, at) => [ms, values[at]]),
      Aggregation[aggregation],
    );
  }
});

test("the average of values whose sum is beyond any number is among them", async (t) => {
  const huge = Number.MAX_VALUE;
  await sender.metrics.writeMetrics({
    series: [seriesOf("huge", {}, [start, huge], [start + 1, huge], [start + 2, huge])],
  });
  const { series } = await queries().queryRange({
    metric: "huge",
    ...between(start, start + MINUTE),
    step: seconds(60),
  });
  const value = series[0]?.points[0]?.value ?? 0;
  t.true(value <= huge && value > huge * 0.999);
});

test("duplicates are gone before points are combined", async (t) => {
  for (const value of [1, 100, 100]) {
    await sender.metrics.writeMetrics({
      series: [seriesOf("collapse", {}, [start, value], [start + 1, value])],
    });
  }
  const { series } = await queries().queryRange({
    metric: "collapse",
    ...between(start, start + MINUTE),
    step: seconds(60),
    aggregation: Aggregation.SUM,
  });
  t.is(series[0]?.points[0]?.value, 2);
});

test("a metric that is not there is an empty answer; one that is comes with its meaning", async (t) => {
  const empty = await queries().queryRange({ metric: "nowhere", ...between(0, 1) });
  t.is(empty.metric, undefined);
  t.deepEqual(empty.series, []);
  await sender.metrics.writeMetrics({
    series: [seriesOf("there", {}, [start, 1])],
    metadata: [{ metric: "there", unit: "By", description: "What is there" }],
  });
  const there = await queries().queryRange({ metric: "there", ...between(0, 1) });
  t.like(there.metric, { metric: "there", unit: "By", seriesCount: 1n });
  t.deepEqual(there.series, []);
});

test("another workspace's points, metrics and series are never seen", async (t) => {
  const neighbour = await addWorkspace(server, owner.token);
  const theirs = await addSender(server, neighbour.token);
  await sender.metrics.writeMetrics({ series: [seriesOf("shared", { a: "1" }, [start, 1])] });
  await theirs.metrics.writeMetrics({
    series: [seriesOf("shared", { a: "1" }, [start, 2]), seriesOf("theirs", {}, [start, 3])],
  });
  t.deepEqual(await pointsOf(server, owner.token, "shared"), [
    { labels: { a: "1" }, points: [[start, 1]] },
  ]);
  t.deepEqual(await pointsOf(server, neighbour.token, "shared"), [
    { labels: { a: "1" }, points: [[start, 2]] },
  ]);
  t.deepEqual(await pointsOf(server, owner.token, "theirs"), []);
  const { metrics } = await queries().listMetrics({ nameContains: "theirs" });
  t.deepEqual(metrics, []);
});

test("spans and steps that are none are refused in words", async (t) => {
  const year10000 = { seconds: 253_402_300_800n };
  const now = timestampFromMs(start);
  const cases: [object, RegExp][] = [
    [{ startTime: now, endTime: now }, /end_time must be after start_time/],
    [between(start, start - 1), /end_time must be after start_time/],
    [{ startTime: now, endTime: year10000 }, /end_time is not a time between/],
    [{ startTime: { seconds: -62_135_596_801n }, endTime: now }, /start_time is not a time/],
    [
      { startTime: { ...now, nanos: 1_000_000_000 }, endTime: year10000 },
      /start_time is not a time/,
    ],
    [{ startTime: { ...now, nanos: -1 }, endTime: year10000 }, /start_time is not a time/],
    [{ endTime: now }, /start_time/],
    [{ startTime: now }, /end_time/],
    [{ ...between(0, 1), step: { seconds: 1n, nanos: 1 } }, /whole number of milliseconds/],
    [{ ...between(0, 1), step: { nanos: 999_999_999 } }, /step/],
    [{ ...between(0, 1), aggregation: 99 }, /aggregation/],
    [{ ...between(0, 1), metric: "a\0b" }, /NUL/],
    [{ ...between(0, 1), metric: "" }, /metric/],
    [{ ...between(0, 1), matchers: [{ label: "a", operation: EQUAL, value: "\0" }] }, /NUL/],
    [{ ...between(0, 1), matchers: [{ label: "a", value: "x" }] }, /operation/],
  ];
  for (const [request, message] of cases) {
    const refusal = await refused(queries().queryRange({ metric: "edges", ...request }));
    t.is(refusal.code, Code.InvalidArgument, String(message));
    t.regex(refusal.message, message);
  }
  const whole = between(-62_135_596_800_000, 253_402_300_799_999);
  await t.notThrowsAsync(queries().queryRange({ metric: "nowhere", ...whole }));
});

test("more than a thousand series with points are too much; those without do not count", async (t) => {
  const series = Array.from({ length: 1001 }, (_, at) =>
    seriesOf("wide", { at: String(at) }, [start + (at === 1000 ? DAY : 0), at]),
  );
  await sender.metrics.writeMetrics({ series });
  const some = await queries().queryRange({ metric: "wide", ...between(start, start + DAY) });
  t.is(some.series.length, 1000);
  const refusal = await refused(
    queries().queryRange({ metric: "wide", ...between(start, start + DAY + 1) }),
  );
  t.like(refusal, { code: Code.ResourceExhausted, reason: Reason.TOO_LARGE });
  t.regex(refusal.message, /1000 series .* narrow the span or the labels/);
});

test("more than a million points are too much, and a step helps", async (t) => {
  await sender.metrics.writeMetrics({ series: [seriesOf("dense", {}, [start + DAY, 0])] });
  await addPoints("dense", 1_100_000, (at) => [start + at, at % 10]);
  const span = between(start, start + DAY);
  const refusal = await refused(queries().queryRange({ metric: "dense", ...span }));
  t.like(refusal, { code: Code.ResourceExhausted, reason: Reason.TOO_LARGE });
  t.regex(refusal.message, /1000000 points; narrow .* or set a longer step/);
  const { series } = await queries().queryRange({ metric: "dense", ...span, step: seconds(60) });
  t.is(series[0]?.points[0]?.value, 4.5);
  t.is(series[0]?.points.length, Math.ceil(1_100_000 / MINUTE));
});

/** Puts points of a metric's only series right into the log, faster than a client could. */
async function addPoints(metric: string, count: number, point: (at: number) => [number, number]) {
  const [row] = await server.sql<{ series_id: string }>(
    "select series_id from series where metric = $1",
    [metric],
  );
  const packer = makeBatchPacker();
  for (let from = 0; from < count; from += 50_000) {
    packer.begin({ senderId: "s", batchId: "", clockOffsetMs: 0 });
    const some = Array.from({ length: Math.min(50_000, count - from) }, (_, at) =>
      point(from + at),
    );
    addRun(packer, Number(row?.series_id), some);
    const packed = packer.finish();
    await server.sql(
      `insert into segments (workspace_id, start_ms, end_ms, points, body)
       values ($1, $2, $3, $4, $5)`,
      [
        owner.workspaceId,
        packed?.startMs,
        packed?.endMs,
        packed?.points,
        joinSegment(packed ? [packed] : []),
      ],
    );
  }
}
