import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import test from "ava";
import { AuditService } from "../../gen/lumetry/v1/audit_service_pb.js";
import { MetricQueryService } from "../../gen/lumetry/v1/metric_query_service_pb.js";
import { randomFrom } from "../edge/queue/fixtures.ts";
import { edgeCalls } from "../support/collector.ts";
import { migratedDatabase } from "../support/database.ts";
import { LOAD } from "../support/load.ts";
import { type Owner, setUp, startTestServer } from "../support/server.ts";
import { startServerProcess } from "../support/server-process.ts";
import { fillQueue, LIMIT } from "./full-queue.ts";
import { storm } from "./storm.ts";
import { STEADY_LOAD, Subject } from "./subject.ts";

/** Another one each time; a failure names it. */
const seed = Number(process.env.LUMETRY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

const words = (toll: Map<string, number>) =>
  [...toll].map(([name, count]) => `${count} × ${name}`).sort();

/** Sends the last point of a series once more, under another id, as a sender that forgot its claim would. */
async function storeAgain({ installation, since }: Subject, owner: Owner): Promise<void> {
  const { server } = installation;
  const { series } = await server.client(MetricQueryService, owner.token).queryRange({
    metric: LOAD,
    startTime: timestampFromMs(since),
    endTime: timestampFromMs(Date.now()),
  });
  const [{ metric, labels, points } = { metric: "", labels: {}, points: [] }] = series;
  const own = Object.entries(labels).filter(([name]) => !name.startsWith("lumetry."));
  const { credential = "" } = await installation.identity();
  await edgeCalls(server, credential).metrics.writeMetrics({
    batchId: "again",
    series: [{ metric, labels: Object.fromEntries(own), points: points.slice(-1) }],
  });
}

test("killed twenty times while server, database and network fail, a collector loses nothing and stores nothing twice", async (t) => {
  t.log(`seed ${seed}`);
  await using database = await migratedDatabase();
  await using server = await startServerProcess(database.url);
  const owner = await setUp(server);
  await using subject = await Subject.start(server, owner, STEADY_LOAD);
  const toll = await storm(subject, server, {
    random: randomFrom(seed),
    kills: 20,
    leastMs: 0,
  });
  const { queue } = await subject.calm();
  const { problems, figures } = await subject.settle(queue);
  t.log(figures, words(toll));
  t.deepEqual(problems, []);
  t.true(figures.stored > 0 && figures.refused > 0);
  const { auditEvents } = await server
    .client(AuditService, owner.token)
    .listAuditEvents({ targetId: subject.installation.collectorId, pageSize: 200 });
  t.false(auditEvents.some(({ action }) => action.startsWith("collector.duplicate")));

  await storeAgain(subject, owner);
  const twice = await subject.settle(queue);
  t.true(twice.problems.includes("1 points are stored more than once"));

  // The oldest points, wherever they are by now.
  await server.sql(
    "delete from segments where segment_id = (select min(segment_id) from segments)",
  );
  await server.sql("delete from fresh_chunks");
  await server.sql("delete from chunks");
  const lost = await subject.settle(queue);
  t.regex(lost.problems.join("\n"), /^lost: samples 1/m);
  t.regex(lost.problems.join("\n"), /of \d+ points appended, \d+ are accounted for/);
});

test("at its limit, a queue drops its oldest points alone, counts them exactly and stays within its bounds", async (t) => {
  t.log(`seed ${seed}`);
  await using server = await startTestServer({ heartbeatInterval: 1000 });
  const owner = await setUp(server);
  await using full = await fillQueue(server, owner, {
    random: randomFrom(seed),
    times: 2,
    kills: 3,
  });
  const { problems, figures } = await full.subject.settle(full.status.queue, full.storedBefore);
  t.log(figures, `at most ${full.peakBytes} bytes on disk`);
  t.deepEqual(problems, []);
  t.true(full.peakBytes > LIMIT / 2 && full.peakBytes <= LIMIT * 1.05);
  t.true(figures.dropped > 0);
  t.is(full.toldPoints, figures.dropped);
});

test("a collector that acknowledged what it never sent would be found out", async (t) => {
  await using server = await startTestServer({ heartbeatInterval: 1000 });
  const owner = await setUp(server);
  await using subject = await Subject.start(server, owner, { ...STEADY_LOAD, bug: "lies" });
  await subject.installation.connected(subject.edge);
  await subject.installation.heartbeats(2);
  const { queue } = await subject.calm();
  const { problems } = await subject.settle(queue);
  t.regex(problems.join("\n"), /^lost: samples /m);
  t.regex(problems.join("\n"), /points were acknowledged, but \d+ are stored or refused/);
});
