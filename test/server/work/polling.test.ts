import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import test from "ava";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import { CollectorService } from "../../../gen/lumetry/v1/collector_service_pb.js";
import {
  LabelMatcher_Operation,
  MetricQueryService,
} from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import {
  SourceService,
  Source_Status as Status,
} from "../../../gen/lumetry/v1/source_service_pb.js";
import { WorkQueryService } from "../../../gen/lumetry/v1/work_query_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { eventually } from "../../support/eventually.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";
import {
  addSource,
  addWorker,
  assigned,
  type HandWorker,
  makeDue,
  reading,
  slowDown,
} from "../../support/worker.ts";

let server: TestServer;
let owner: Owner;
test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  await slowDown(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

/** A zone of its own, with a worker that is heard of and a source that is assigned to it. */
async function scene(more: Parameters<typeof addSource>[2] = {}) {
  const zone = await addZone();
  const worker = await addWorker(server, zone);
  await worker.claim();
  const source = await addSource(server, zone, more);
  await assigned(server, source.sourceId, worker.collectorId);
  return { zone, worker, source };
}

let zones = 0;
async function addZone() {
  zones += 1;
  const { zone } = await server
    .client(ZoneService, owner.token)
    .createZone({ displayName: `zone ${zones}` });
  return { token: owner.token, zoneId: zone?.zoneId ?? "" };
}

async function claimPoll(worker: HandWorker, sourceId: string) {
  await makeDue(server, sourceId);
  const items = await worker.claim();
  const item = items.find(({ task }) => task.case === "poll" && task.value.sourceId === sourceId);
  if (item?.task.case !== "poll") throw new Error("the poll was not to be had");
  return {
    item,
    slotMs: timestampMs(item.task.value.scheduledTime ?? ({ seconds: 0n, nanos: 0 } as never)),
  };
}

const pointsOf = async (sourceId: string, metric: string) => {
  const now = Date.now();
  const { series } = await server.client(MetricQueryService, owner.token).queryRange({
    metric,
    matchers: [
      { label: "lumetry.source_id", operation: LabelMatcher_Operation.EQUAL, value: sourceId },
    ],
    startTime: { seconds: BigInt(Math.floor(now / 1000) - 3600), nanos: 0 },
    endTime: { seconds: BigInt(Math.floor(now / 1000) + 60), nanos: 0 },
  });
  return series.flatMap(({ points }) => points);
};

const databaseTime = async () =>
  (await server.sql<{ now: Date }>("select wall_clock() as now"))[0]?.now.getTime() ?? 0;

const show = async (sourceId: string) =>
  (await server.client(SourceService, owner.token).getSource({ sourceId })).source;

test("a poll's samples are points of its source, at the time for which it was scheduled", async (t) => {
  const { worker, source } = await scene({ labels: { team: "storage" } });
  const { item, slotMs } = await claimPoll(worker, source.sourceId);
  const { problem, written } = await worker.report(item, reading(42));
  t.is(problem, undefined);
  t.is(written?.acceptedPoints, 3n, "the sample, up and the duration");

  for (const [metric, value] of [
    ["answer", 42],
    ["up", 1],
    ["poll.duration", 0.012],
  ] as const) {
    const points = await pointsOf(source.sourceId, metric);
    t.deepEqual(
      points.map((point) => [point.time && timestampMs(point.time), point.value]),
      [[slotMs, value]],
      metric,
    );
  }
  const shown = await show(source.sourceId);
  t.is(shown?.status, Status.UP);
  t.is(shown?.poll?.completedPolls, 1n);
  t.is(shown?.assignedCollectorId, worker.collectorId);
});

test("a failed poll is a result: up is 0, and the failure is told in words", async (t) => {
  const { worker, source } = await scene();
  const { item } = await claimPoll(worker, source.sourceId);
  const failure = "10.0.0.1:80 refused the connection";
  await worker.report(item, reading(0, { up: false, failure, series: [] }));
  t.deepEqual(
    (await pointsOf(source.sourceId, "up")).map(({ value }) => value),
    [0],
  );
  const shown = await show(source.sourceId);
  t.is(shown?.status, Status.DOWN);
  t.is(shown?.poll?.failure, failure);
  t.is(shown?.poll?.failuresInARow, 1n);
});

test("a report on a claim that somebody else has is refused, counted, and leaves no trace", async (t) => {
  const { worker, source } = await scene();
  const { item: late } = await claimPoll(worker, source.sourceId);
  // The lease runs out while the process stands still.
  await server.sql(
    "update work_items set lease_until = wall_clock() - interval '1 second' where work_id = $1",
    [late.workId],
  );
  await eventually("the claim lapses", async () => {
    const [row] = await server.sql("select from work_items where work_id = $1 and state = 'due'", [
      late.workId,
    ]);
    return row;
  });
  const twin = worker.twin();
  const { item: newer } = await claimPoll(twin, source.sourceId);
  t.true(newer.fence > late.fence);

  const stale = await worker.report(
    late,
    reading(1, { series: [{ metric: "stale.trace", points: [{ value: 1 }] }] }),
  );
  t.is(stale.problem?.reason, Reason.STALE_CLAIM);
  t.is((await twin.report(newer, reading(2))).problem, undefined);

  t.deepEqual(await pointsOf(source.sourceId, "stale.trace"), []);
  t.deepEqual(await server.sql("select from metrics where metric = 'stale.trace'"), []);
  t.deepEqual(
    (await pointsOf(source.sourceId, "answer")).map(({ value }) => value),
    [2],
  );
  t.is((await show(source.sourceId))?.poll?.staleReports, 1n);
});

test("of a hundred reports with one token, one counts", async (t) => {
  const { worker, source } = await scene();
  const { item } = await claimPoll(worker, source.sourceId);
  const results = await Promise.all(
    Array.from({ length: 100 }, (_, value) => worker.report(item, reading(value))),
  );
  const accepted = results.filter(({ problem }) => problem === undefined);
  t.is(accepted.length, 1);
  for (const { problem } of results) {
    t.true(problem === undefined || problem.reason === Reason.CLAIM_SPENT);
  }
  t.is((await pointsOf(source.sourceId, "answer")).length, 1);
});

test("a token is of no use to another collector, or to another process", async (t) => {
  const { zone, worker, source } = await scene();
  const { item } = await claimPoll(worker, source.sourceId);
  const other = await addWorker(server, zone);
  for (const thief of [other, worker.twin()]) {
    t.is((await thief.report(item, reading(1))).problem?.reason, Reason.STALE_CLAIM);
    t.is(await thief.renew(item), undefined);
  }
  t.is((await worker.report(item, reading(2))).problem, undefined);
});

test("a lease is renewed, but never far beyond the budget", async (t) => {
  const { worker, source } = await scene({ timeout: durationFromMs(2_000) });
  const { item } = await claimPoll(worker, source.sourceId);
  t.is(item.executionBudget?.seconds, 2n);
  t.true(((await worker.renew(item)) ?? 0) > 29_000);
  // As if 20 s had passed since the claim: the limit is 32 s after it.
  await server.sql(
    "update work_items set lease_limit = lease_limit - interval '20 seconds' where work_id = $1",
    [item.workId],
  );
  const left = (await worker.renew(item)) ?? 0;
  t.true(left > 0 && left <= 12_000, `${left} ms are left`);
});

test("a poll that was missed is skipped, not made up for, and the skips are counted", async (t) => {
  const { worker, source } = await scene();
  await server.sql(
    `update work_items set due_at = date_bin(every, wall_clock(), origin) - 7 * every
     where subject_id = $1`,
    [source.sourceId],
  );
  const before = await databaseTime();
  const items = await worker.claim();
  t.is(items.length, 1);
  const [item] = items;
  const slotMs =
    item?.task.case === "poll" && item.task.value.scheduledTime
      ? timestampMs(item.task.value.scheduledTime)
      : 0;
  t.true(slotMs > before - 5_000, "the last slot that has come");
  t.is((await show(source.sourceId))?.poll?.skippedPolls, 7n);
});

test("a source that asks for it is left alone for a while", async (t) => {
  const { worker, source } = await scene();
  const { item } = await claimPoll(worker, source.sourceId);
  await worker.report(item, reading(0, { up: false, failure: "slow" }), 60_000);
  const shown = await show(source.sourceId);
  t.truthy(shown?.poll?.backingOffUntil);
  const nextMs = shown?.poll?.nextTime ? timestampMs(shown.poll.nextTime) : 0;
  t.true(nextMs >= (await databaseTime()) + 55_000, "no slot before that");
});

test("what is edited, paused or deleted is not reported on as it was", async (t) => {
  const { worker, source } = await scene();
  const sources = server.client(SourceService, owner.token);
  const { sourceId } = source;
  const changes = [
    () => sources.updateSource({ sourceId, labels: { labels: { a: "b" } } }),
    () => sources.pauseSource({ sourceId }),
    () => sources.deleteSource({ sourceId }),
  ];
  for (const change of changes) {
    if (change === changes[2]) {
      await sources.resumeSource({ sourceId });
      await assigned(server, sourceId);
    }
    const { item } = await claimPoll(worker, sourceId);
    await change();
    t.is((await worker.report(item, reading(1))).problem?.reason, Reason.STALE_CLAIM);
  }
  t.deepEqual(await worker.claim(), []);
});

test("a revoked collector's claims end at once, and another one takes over its sources", async (t) => {
  const { zone, worker, source } = await scene();
  const heir = await addWorker(server, zone);
  await heir.claim();
  const { item } = await claimPoll(worker, source.sourceId);
  await server
    .client(CollectorService, owner.token)
    .revokeCollector({ collectorId: worker.collectorId });
  const [row] = await server.sql<{ state: string }>(
    "select state from work_items where work_id = $1",
    [item.workId],
  );
  t.is(row?.state, "due");
  await t.throwsAsync(worker.report(item, reading(1)), { message: /revoked/ });
  await assigned(server, source.sourceId, heir.collectorId);
  const { item: again } = await claimPoll(heir, source.sourceId);
  t.is((await heir.report(again, reading(2))).problem, undefined);
});

test("two processes under one credential are told apart", async (t) => {
  const { worker, source } = await scene();
  const { item } = await claimPoll(worker, source.sourceId);
  const { workItems } = await server
    .client(WorkQueryService, owner.token)
    .listWorkItems({ pageSize: 200 });
  const shown = workItems.find(({ workId }) => workId === item.workId);
  t.is(shown?.collectorId, worker.collectorId);
  t.is(shown?.processId, worker.processId);
  t.is(shown?.subjectName, source.displayName);
});

test("a slot that was taken meanwhile spends the claim and nothing more", async (t) => {
  const { worker, source } = await scene();
  const { item, slotMs } = await claimPoll(worker, source.sourceId);
  const { results } = await worker.calls.reportOutageRuns({
    processId: worker.processId,
    runs: [
      {
        sourceId: source.sourceId,
        scheduledTime: { seconds: BigInt(Math.floor(slotMs / 1000)), nanos: (slotMs % 1000) * 1e6 },
        reading: { up: true, series: [{ metric: "answer", points: [{ value: 7 }] }] },
      },
    ],
  });
  // Assigned only a moment ago: the slot may be from before.
  if (results[0]?.problem) {
    t.is(results[0].problem.reason, Reason.NOT_ALLOWED);
    return;
  }
  t.is((await worker.report(item, reading(8))).problem?.reason, Reason.SLOT_TAKEN);
  t.deepEqual(
    (await pointsOf(source.sourceId, "answer")).map(({ value }) => value),
    [7],
  );
  t.is((await worker.report(item, reading(9))).problem?.reason, Reason.CLAIM_SPENT);
});
