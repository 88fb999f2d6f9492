import { Code } from "@connectrpc/connect";
import test from "ava";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import { AuditService } from "../../../gen/lumetry/v1/audit_service_pb.js";
import { CollectorService } from "../../../gen/lumetry/v1/collector_service_pb.js";
import { EdgeStatus as Status } from "../../../gen/lumetry/v1/edge_pb.js";
import { addCollector, makeProcess } from "../../support/collector.ts";
import { refused } from "../../support/refusal.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const collectors = () => server.client(CollectorService, owner.token);
const get = async (collectorId: string) => {
  const { collector } = await collectors().getCollector({ collectorId });
  if (!collector) throw new Error("no collector");
  return collector;
};
const statusOf = async (collectorId: string) => Status[(await get(collectorId)).status];

/** Lets time pass for what has been seen of one collector. */
const age = (collectorId: string, interval: string) =>
  Promise.all([
    server.sql(
      `update edge_processes set first_seen_at = first_seen_at - $2::interval, last_seen_at = last_seen_at - $2::interval, superseded_at = superseded_at - $2::interval where edge_id = $1`,
      [collectorId, interval],
    ),
    server.sql(
      `update edges set suspected_at = suspected_at - $2::interval, suspected_last_at = suspected_last_at - $2::interval where edge_id = $1`,
      [collectorId, interval],
    ),
  ]);

async function addDuplicate() {
  const collector = await addCollector(server, owner);
  const original = makeProcess(server, collector.credential, "original-host");
  const clone = makeProcess(server, collector.credential, "clone-host");
  await original.beat();
  await clone.beat();
  await original.beat();
  await original.beat();
  return { ...collector, original, clone };
}

test("a hundred restarts in a row are not taken for a clone", async (t) => {
  const { collectorId, credential } = await addCollector(server, owner);
  for (let restart = 0; restart < 100; restart += 1) {
    const process = makeProcess(server, credential);
    await process.beat();
    if (restart % 3 === 0) await process.beat();
    if (restart % 5 === 0) await process.beatUnheard();
  }
  t.is(await statusOf(collectorId), "ACTIVE");
});

test("a late message of a process that was replaced is not taken for a clone", async (t) => {
  const { collectorId, credential } = await addCollector(server, owner);
  const old = makeProcess(server, credential);
  await old.beat();
  const restarted = makeProcess(server, credential);
  await restarted.beat();
  await old.beatUnheard();
  await restarted.beat();
  t.is(await statusOf(collectorId), "ACTIVE");
});

test("lost replies are not taken for a clone", async (t) => {
  const { collectorId, credential } = await addCollector(server, owner);
  const process = makeProcess(server, credential);
  await process.beat();
  await process.beatUnheard();
  await process.beatUnheard();
  await process.beat();
  t.is(await statusOf(collectorId), "ACTIVE");
});

test("a clone of the data directory is suspected by the second heartbeat, with evidence of both", async (t) => {
  const { collectorId, original, clone } = await addDuplicate();
  const collector = await get(collectorId);
  t.is(collector.status, Status.DUPLICATE_SUSPECTED);
  const { duplicateEvidence: evidence } = collector;
  t.deepEqual(
    [evidence?.returned?.processId, evidence?.replacement?.processId],
    [original.processId, clone.processId],
  );
  t.regex(evidence?.explanation ?? "", /original-host.*clone-host/);
});

test("a process that comes back long after it was replaced is suspected at once", async (t) => {
  const { collectorId, credential } = await addCollector(server, owner);
  const original = makeProcess(server, credential);
  await original.beat();
  await makeProcess(server, credential).beat();
  await age(collectorId, "16 seconds");
  await original.beat();
  t.is(await statusOf(collectorId), "DUPLICATE_SUSPECTED");
});

test("a machine that was copied while running shows by counting over again", async (t) => {
  const { collectorId, credential, heartbeat } = await addCollector(server, owner);
  const process = makeProcess(server, credential);
  await process.beat();
  await process.beat();
  await age(collectorId, "16 seconds");
  await heartbeat.sendHeartbeat({ processId: process.processId, sequence: 2n });
  t.is(await statusOf(collectorId), "DUPLICATE_SUSPECTED");
});

test("while a duplicate is suspected uploads go on and rotation waits", async (t) => {
  const { original, metrics, credentials, collectorId } = await addDuplicate();
  const { acceptedPoints } = await metrics.writeMetrics({
    batchId: "b-1",
    series: [
      {
        metric: "system.cpu.load_average.1m",
        points: [{ time: { seconds: BigInt(Math.floor(Date.now() / 1000)) }, value: 1 }],
      },
    ],
  });
  t.is(acceptedPoints, 1n);
  await server.sql("update edges set rotation_requested_at = wall_clock() where edge_id = $1", [
    collectorId,
  ]);
  t.false((await original.beat()).rotateCredential);
  t.like(await refused(credentials.rotateCredential({})), {
    code: Code.FailedPrecondition,
    reason: Reason.DUPLICATE_SUSPECTED,
  });
});

test("the suspicion ends when one process alone has been seen for ten minutes", async (t) => {
  const { collectorId, original } = await addDuplicate();
  await age(collectorId, "9 minutes");
  await original.beat();
  t.is(await statusOf(collectorId), "DUPLICATE_SUSPECTED");
  await age(collectorId, "2 minutes");
  await original.beat();
  t.is(await statusOf(collectorId), "ACTIVE");
  const { auditEvents } = await server
    .client(AuditService, owner.token)
    .listAuditEvents({ targetId: collectorId });
  t.deepEqual(
    auditEvents.slice(0, 2).map(({ action, actorKind }) => [action, actorKind]),
    [
      ["collector.duplicate_lapsed", "server"],
      ["collector.duplicate_suspected", "server"],
    ],
  );
});

test("the suspicion does not end while both go on", async (t) => {
  const { collectorId, original, clone } = await addDuplicate();
  for (let minute = 0; minute < 12; minute += 1) {
    await age(collectorId, "1 minute");
    await original.beat();
    await clone.beat();
  }
  t.is(await statusOf(collectorId), "DUPLICATE_SUSPECTED");
});

test("an operator dismisses the suspicion, and it comes back if both go on", async (t) => {
  const { collectorId, original, clone } = await addDuplicate();
  const { collector } = await collectors().dismissCollectorDuplicate({ collectorId });
  t.is(collector?.status, Status.ACTIVE);
  await original.beat();
  t.is(await statusOf(collectorId), "ACTIVE");
  await clone.beat();
  await original.beat();
  await original.beat();
  t.is(await statusOf(collectorId), "DUPLICATE_SUSPECTED");
});

test("a duplicate can be revoked", async (t) => {
  const { collectorId, original } = await addDuplicate();
  await collectors().revokeCollector({ collectorId });
  t.is(await statusOf(collectorId), "REVOKED");
  t.like(await refused(original.beat()), { code: Code.Unauthenticated, reason: Reason.REVOKED });
});
