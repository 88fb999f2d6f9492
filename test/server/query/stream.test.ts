import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import test from "ava";
import { QueueHealth_Drop_Reason as DropReason } from "../../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { MetricsService } from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { MetricQueryService } from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import { addCollector, makeProcess } from "../../support/collector.ts";
import { addSender, seriesOf, type TestSender } from "../../support/points.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

const MINUTE = 60_000;
/** A full minute, two days ago. */
const start = Math.floor((Date.now() - 2 * 86_400_000) / MINUTE) * MINUTE;
const POINTS = 45_000;
const span = {
  startTime: timestampFromMs(start),
  endTime: timestampFromMs(start + POINTS + 1_000_000),
};

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

async function write(metric: string, host: string, count: number, from = 0) {
  for (let at = from; at < from + count; at += 15_000) {
    const points = Array.from(
      { length: Math.min(15_000, from + count - at) },
      (_, index): [number, number] => [start + at + index, at + index],
    );
    await sender.metrics.writeMetrics({ series: [seriesOf(metric, { host }, ...points)] });
  }
}

test("a stream tells in several messages what a query tells in one, all of one moment", async (t) => {
  await write("streamed", "long", POINTS);
  await write("streamed", "short", 3);
  const whole = await queries().queryRange({ metric: "streamed", ...span });
  const joined = new Map<string, number[]>();
  let messages = 0;
  for await (const { metric, series } of queries().streamRange({
    query: { metric: "streamed", ...span },
  })) {
    messages += 1;
    if (messages === 1) t.is(metric?.metric, "streamed");
    if (messages === 2) {
      // Whoever reads slowly is not told of what comes meanwhile.
      await write("streamed", "short", 3, 100_000);
      await write("streamed", "late", 3);
    }
    for (const { labels, points } of series) {
      const own = joined.get(labels.host ?? "") ?? [];
      joined.set(labels.host ?? "", own);
      for (const { time, value } of points) own.push(time ? timestampMs(time) : 0, value);
    }
  }
  t.true(messages > 3);
  t.deepEqual(
    [...joined],
    whole.series.map(({ labels, points }) => [
      labels.host ?? "",
      points.flatMap(({ time, value }) => [time ? timestampMs(time) : 0, value]),
    ]),
  );
});

test("streams that are left in the middle hold on to nothing", async (t) => {
  await write("left", "a", POINTS);
  // More than the server has connections to its database.
  for (let time = 0; time < 40; time += 1) {
    for await (const { series } of queries().streamRange({ query: { metric: "left", ...span } })) {
      if (series.length > 0) break;
    }
  }
  const { series } = await queries().queryRange({ metric: "left", ...span });
  t.is(series[0]?.points.length, POINTS);
});

test("what a collector has lost is told beside its series, and only where it was asked for", async (t) => {
  const { collectorId, credential } = await addCollector(server, owner);
  await server.client(MetricsService, credential).writeMetrics({
    series: [seriesOf("watched", { disk: "a" }, [start, 1], [start + 10 * MINUTE, 2])],
  });
  await makeProcess(server, credential).beat({
    queue: {
      drops: [
        {
          dropId: 1n,
          startTime: timestampFromMs(start + MINUTE),
          endTime: timestampFromMs(start + 9 * MINUTE),
          points: 8n,
          reason: DropReason.LIMIT,
        },
      ],
    },
  });
  const gap = { senderId: collectorId, points: 8n, reason: DropReason.LIMIT };
  const ask = (from: number, to: number) => ({
    metric: "watched",
    startTime: timestampFromMs(start + from * MINUTE),
    endTime: timestampFromMs(start + to * MINUTE),
  });
  const { gaps } = await queries().queryRange(ask(0, 20));
  t.like(gaps, [gap]);
  t.is(gaps[0]?.startTime && timestampMs(gaps[0].startTime), start + MINUTE);
  t.is(gaps[0]?.endTime && timestampMs(gaps[0].endTime), start + 9 * MINUTE);
  for await (const message of queries().streamRange({ query: ask(0, 20) })) {
    t.like(message.gaps, [gap]);
    break;
  }
  t.deepEqual((await queries().queryRange(ask(9.5, 20))).gaps, []);
  // Nor beside somebody else's series.
  await write("unwatched", "a", 1);
  const other = await queries().queryRange({ metric: "unwatched", ...span });
  t.deepEqual(other.gaps, []);
});
