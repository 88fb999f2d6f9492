import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import test from "ava";
import fc from "fast-check";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import {
  LabelMatcher_Operation,
  MetricQueryService,
} from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import { SourceService } from "../../../gen/lumetry/v1/source_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { planAssignments } from "../../../server/assignments/plan.ts";
import { eventually } from "../../support/eventually.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";
import { addSource, addWorker, assigned, type HandWorker, slowDown } from "../../support/worker.ts";

let server: TestServer;
let owner: Owner;
test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  await slowDown(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

let zones = 0;
async function addZone() {
  zones += 1;
  const displayName = `zone ${zones}`;
  const { zone } = await server.client(ZoneService, owner.token).createZone({ displayName });
  return { token: owner.token, zoneId: zone?.zoneId ?? "" };
}

const loadsOf = async (zoneId: string) =>
  (
    await server.sql<{ assigned_to: string; sources: number }>(
      `select assigned_to, count(*)::int as sources from work_items
       where zone_id = $1 and assigned_to is not null group by assigned_to`,
      [zoneId],
    )
  ).map(({ sources }) => sources);

/** As if nothing had been heard of it for longer than its lease. */
const die = ({ collectorId }: HandWorker) =>
  server.sql(
    "update workers set lease_until = wall_clock() - interval '1 second' where collector_id = $1",
    [collectorId],
  );

test("everybody has the same share, with as few moves as that takes, and nothing is left out", (t) => {
  const collectors = fc.uniqueArray(fc.constantFrom<string>("a", "b", "c", "d", "e"));
  const holders = fc.array(
    fc.option(fc.constantFrom<string>("a", "b", "c", "d", "e", "gone"), { nil: undefined }),
    {
      maxLength: 60,
    },
  );
  fc.assert(
    fc.property(collectors, holders, (live, held) => {
      const sources = held.map((holder, index) => ({ sourceId: `s${index}`, holder }));
      const moves = planAssignments(live, sources);
      if (live.length === 0) return moves.length === 0;
      const after = new Map(sources.map(({ sourceId, holder }) => [sourceId, holder]));
      for (const { sourceId, from, to } of moves) {
        if (after.get(sourceId) !== from || from === to) return false;
        after.set(sourceId, to);
      }
      const loads = live.map((id) => [...after.values()].filter((holder) => holder === id).length);
      const isEven = Math.max(...loads) - Math.min(...loads) <= 1;
      // Nobody who keeps a place in the end has been sent away for another.
      const least = Math.floor(sources.length / live.length);
      const homeless = sources.filter(({ holder }) => !live.includes(holder ?? "")).length;
      const before = live.map((id) => sources.filter(({ holder }) => holder === id).length);
      const surplus = before.reduce((sum, load) => sum + Math.max(0, load - least - 1), 0);
      const bound = homeless + surplus + live.length;
      return isEven && loads.reduce((a, b) => a + b) === sources.length && moves.length <= bound;
    }),
  );
  t.pass();
});

test("sources are spread evenly, and spread again when a collector comes or goes", async (t) => {
  const zone = await addZone();
  const first = await addWorker(server, zone);
  await first.claim();
  for (let count = 0; count < 9; count += 1) await addSource(server, zone);
  await eventually("one has all", async () => (await loadsOf(zone.zoneId))[0] === 9);
  const second = await addWorker(server, zone);
  await second.claim();
  await eventually("two share", async () => {
    const loads = await loadsOf(zone.zoneId);
    return loads.length === 2 && Math.min(...loads) === 4;
  });
  await die(first);
  await eventually("the other has all", async () => {
    const loads = await loadsOf(zone.zoneId);
    return loads.length === 1 && loads[0] === 9;
  });
  await second.claim();
  await first.claim();
  await eventually("two share again", async () => {
    const loads = await loadsOf(zone.zoneId);
    return loads.length === 2 && Math.min(...loads) === 4;
  });
  t.pass();
});

test("a collector learns what is its to poll, and every change of it, once", async (t) => {
  const zone = await addZone();
  const worker = await addWorker(server, zone);
  await worker.claim();
  const sources = server.client(SourceService, owner.token);
  const one = await addSource(server, zone, {
    settings: {
      kind: { case: "httpCheck", value: { http: { url: "https://a.internal/" } } },
    },
    secrets: { bearerToken: "secret-of-one" },
    interval: durationFromMs(30_000),
  });
  const two = await addSource(server, zone);
  await assigned(server, one.sourceId);
  await assigned(server, two.sourceId);
  const sync = (sinceRevision: bigint) =>
    worker.calls.syncAssignments({ processId: worker.processId, sinceRevision });

  const all = await sync(0n);
  t.true(all.reset);
  t.deepEqual(
    all.assignments.map(({ sourceId }) => sourceId).sort(),
    [one.sourceId, two.sourceId].sort(),
  );
  const told = all.assignments.find(({ sourceId }) => sourceId === one.sourceId);
  t.is(told?.secrets?.bearerToken, "secret-of-one");
  t.is(told?.interval?.seconds, 30n);
  t.true((told?.phase?.seconds ?? 99n) < 30n);

  const nothing = await sync(all.revision);
  t.false(nothing.reset);
  t.deepEqual([nothing.assignments, nothing.endedSourceIds], [[], []]);

  await sources.updateSource({ sourceId: one.sourceId, interval: durationFromMs(60_000) });
  await sources.deleteSource({ sourceId: two.sourceId });
  const changed = await sync(all.revision);
  t.deepEqual(
    changed.assignments.map(({ sourceId, interval }) => [sourceId, interval?.seconds]),
    [[one.sourceId, 60n]],
  );
  t.deepEqual(changed.endedSourceIds, [two.sourceId]);
  t.deepEqual((await sync(changed.revision)).assignments, []);

  const strange = await sync(changed.revision + 1000n);
  t.true(strange.reset, "a revision that was never told");
  t.is(strange.assignments.length, 1);
});

test("a waiting collector is woken by what changes for it", async (t) => {
  const zone = await addZone();
  const worker = await addWorker(server, zone);
  await worker.claim();
  const before = performance.now();
  const { calls, processId } = worker;
  const waiting = calls.claimWork({
    processId,
    capabilities: [1],
    mostPolls: 1,
    wait: durationFromMs(10_000),
  });
  await addSource(server, zone, { interval: durationFromMs(86_400_000) });
  const { assignmentsRevision, items } = await waiting;
  t.true(assignmentsRevision > 0n);
  t.deepEqual(items, []);
  t.log(`woken after ${Math.round(performance.now() - before)} ms`);
});

/** Runs of an outage, one for each slot, from some time ago on. */
const runsOf = (sourceId: string, fromMs: number, count: number, value: number) =>
  Array.from({ length: count }, (_, index) => ({
    sourceId,
    scheduledTime: timestampFromMs(fromMs + index * 5_000),
    reading: { up: true, series: [{ metric: "outage", points: [{ value }] }] },
  }));

test("runs of an outage fill the slots of sources that were theirs, once, and those that whoever came after left open", async (t) => {
  const zone = await addZone();
  const [cut, heir] = [await addWorker(server, zone), await addWorker(server, zone)];
  await cut.claim();
  const { sourceId } = await addSource(server, zone);
  await assigned(server, sourceId, cut.collectorId);
  const now = Math.floor(Date.now() / 5_000) * 5_000;
  // It has had the source for an hour; ten minutes ago it was taken to be dead.
  await server.sql(
    "update source_assignments set started_at = wall_clock() - interval '1 hour' where source_id = $1",
    [sourceId],
  );
  await die(cut);
  await heir.claim();
  await assigned(server, sourceId, heir.collectorId);
  await server.sql(
    `update source_assignments set ended_at = wall_clock() - interval '10 minutes'
     where source_id = $1 and ended_at is not null`,
    [sourceId],
  );
  await server.sql(
    `update source_assignments set started_at = wall_clock() - interval '10 minutes'
     where source_id = $1 and ended_at is null`,
    [sourceId],
  );

  const minute = 60_000;
  const offer = (worker: HandWorker, runs: ReturnType<typeof runsOf>) =>
    worker.calls
      .reportOutageRuns({ processId: worker.processId, runs })
      .then(({ results }) => results.map(({ problem }) => problem?.reason ?? 0));

  const mine = runsOf(sourceId, now - 30 * minute, 3, 1);
  const theirs = runsOf(sourceId, now - 5 * minute, 2, 1);
  const before = runsOf(sourceId, now - 120 * minute, 1, 1);
  t.deepEqual(await offer(cut, [...before, ...mine, ...theirs]), [
    Reason.NOT_ALLOWED,
    0,
    0,
    0,
    0,
    0,
  ]);
  t.deepEqual(
    await offer(cut, mine),
    mine.map(() => Reason.SLOT_TAKEN),
    "once",
  );
  t.deepEqual(
    await offer(heir, mine),
    mine.map(() => Reason.NOT_ALLOWED),
    "not theirs",
  );
  t.deepEqual(await offer(heir, runsOf(sourceId, now - 5 * minute, 1, 2)), [Reason.SLOT_TAKEN]);
  t.deepEqual(await offer(heir, runsOf(sourceId, now - 4 * minute, 1, 2)), [0]);
  t.deepEqual(await offer(cut, runsOf(sourceId, now - 4 * minute, 1, 1)), [Reason.SLOT_TAKEN]);
  t.deepEqual(await offer(heir, runsOf(sourceId, now + 10 * minute, 1, 2)), [Reason.NOT_ALLOWED]);

  const { series } = await server.client(MetricQueryService, owner.token).queryRange({
    metric: "outage",
    matchers: [
      { label: "lumetry.source_id", operation: LabelMatcher_Operation.EQUAL, value: sourceId },
    ],
    startTime: timestampFromMs(now - 60 * minute),
    endTime: timestampFromMs(now + minute),
  });
  t.deepEqual(
    series.flatMap(({ points }) => points.map(({ value }) => value)),
    [1, 1, 1, 1, 1, 2],
  );
  const { source } = await server.client(SourceService, owner.token).getSource({ sourceId });
  t.is(source?.poll?.filledPolls, 6n);
  t.is(source?.poll?.staleReports, 1n + 3n + 3n + 1n + 1n + 1n);

  // Three minutes ago it was paused: what is offered of later is nobody's.
  await server.client(SourceService, owner.token).pauseSource({ sourceId });
  await server.sql(
    `update source_assignments set ended_at = wall_clock() - interval '3 minutes'
     where source_id = $1 and not moved`,
    [sourceId],
  );
  t.deepEqual(await offer(cut, runsOf(sourceId, now - 2 * minute, 1, 1)), [Reason.NOT_ALLOWED]);
  t.deepEqual(await offer(cut, runsOf(sourceId, now - 4 * minute + 5_000, 1, 1)), [0]);
});

test("of two collectors that offer the same slot at once, one fills it", async (t) => {
  const zone = await addZone();
  const worker = await addWorker(server, zone);
  await worker.claim();
  const { sourceId } = await addSource(server, zone);
  await assigned(server, sourceId);
  await server.sql(
    "update source_assignments set started_at = wall_clock() - interval '1 hour' where source_id = $1",
    [sourceId],
  );
  const from = Math.floor(Date.now() / 5_000) * 5_000 - 600_000;
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, value) =>
      worker.calls.reportOutageRuns({
        processId: worker.processId,
        runs: runsOf(sourceId, from, 20, value),
      }),
    ),
  );
  for (let slot = 0; slot < 20; slot += 1) {
    const accepted = answers.filter(({ results }) => results[slot]?.problem === undefined);
    t.is(accepted.length, 1, `slot ${slot}`);
  }
});
