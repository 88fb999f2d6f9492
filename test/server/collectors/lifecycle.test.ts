import { durationMs, type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import test from "ava";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import { SendHeartbeatRequest_Warning as Warning } from "../../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { CollectorService } from "../../../gen/lumetry/v1/collector_service_pb.js";
import {
  Attention_Kind as Attention,
  EdgeStatus as Status,
} from "../../../gen/lumetry/v1/edge_pb.js";
import { UserService } from "../../../gen/lumetry/v1/user_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { addCollector, edgeCalls, makeProcess, shiftClock } from "../../support/collector.ts";
import { refused } from "../../support/refusal.ts";
import {
  addWorkspace,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../../support/server.ts";

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
const attentionOf = async (collectorId: string) =>
  (await get(collectorId)).attention.map(({ kind }) => Attention[kind]);

test("a heartbeat shows liveness, version, queue depth, dropped points and clock skew", async (t) => {
  const { collectorId, credential } = await addCollector(server, owner);
  await makeProcess(server, credential, "db-7").beat({
    version: "1.2.3",
    queue: {
      queueId: "q",
      queuedPoints: 42n,
      queuedBytes: 4200n,
      droppedPoints: 7n,
      limitBytes: 500_000_000n,
      drops: [
        {
          dropId: 1n,
          points: 7n,
          reason: 1,
          startTime: { seconds: 1_700_000_000n },
          endTime: { seconds: 1_700_000_060n },
        },
      ],
    },
    warnings: [Warning.CLEARTEXT_UPSTREAM],
  });
  const collector = await get(collectorId);
  t.is(collector.version, "1.2.3");
  t.is(collector.queue?.queuedPoints, 42n);
  t.is(collector.queue?.droppedPoints, 7n);
  t.true(collector.lastSeenAge && durationMs(collector.lastSeenAge) < 60_000);
  t.true(collector.clockSkew && Math.abs(durationMs(collector.clockSkew)) < 30_000);
  t.is(collector.processes[0]?.hostname, "db-7");
  t.deepEqual(
    collector.attention.map(({ kind }) => Attention[kind]),
    ["POINTS_DROPPED", "CLEARTEXT_UPSTREAM"],
  );
});

test("its history tells when its heartbeats came, and when it was silent", async (t) => {
  const { collectorId, credential } = await addCollector(server, owner);
  const process = makeProcess(server, credential);
  const contacts = async (page = {}) =>
    (await collectors().listCollectorContacts({ collectorId, ...page })).contacts;
  t.deepEqual(await contacts(), []);
  await process.beat({});
  await process.beat({});
  t.deepEqual(
    (await contacts()).map(({ heartbeats }) => heartbeats),
    [2n],
  );

  await server.sql(
    `update edge_contacts set started_at = started_at - interval '3 hours',
       ended_at = ended_at - interval '2 hours' where edge_id = $1`,
    [collectorId],
  );
  await process.beat({});
  const [back, before] = await contacts();
  t.is(back?.heartbeats, 1n);
  t.is(before?.heartbeats, 2n);
  const ms = (time: Timestamp | undefined) => (time ? timestampMs(time) : 0);
  t.true(ms(back?.startTime) - ms(before?.endTime) > 7_000_000);
  const first = await collectors().listCollectorContacts({ collectorId, pageSize: 1 });
  t.deepEqual(first.contacts, [back]);
  t.deepEqual(await contacts({ pageSize: 1, pageToken: first.nextPageToken }), [before]);
  const neighbour = await addWorkspace(server, owner.token);
  const theirs = server.client(CollectorService, neighbour.token);
  const hidden = await refused(theirs.listCollectorContacts({ collectorId }));
  t.is(hidden.code, Code.NotFound);
});

test("a loss that is reported twice counts once", async (t) => {
  const { collectorId, credential } = await addCollector(server, owner);
  const process = makeProcess(server, credential);
  const drops = [
    { dropId: 1n, points: 5n, reason: 1, startTime: { seconds: 1n }, endTime: { seconds: 2n } },
    { dropId: 2n, points: 6n, reason: 2 },
  ];
  await process.beat({ queue: { queueId: "q1", drops } });
  await process.beat({ queue: { queueId: "q1", drops } });
  const ledger = (await collectors().listCollectorDrops({ collectorId })).drops;
  t.deepEqual(
    ledger.map(({ dropId, points }) => [dropId, points]),
    [
      [2n, 6n],
      [1n, 5n],
    ],
  );
});

test("a clock an hour off is measured and brought to attention, and costs nothing else", async (t) => {
  const { collectorId, credential } = await addCollector(server, owner);
  const now = BigInt(Math.round(Date.now() / 1000));
  await makeProcess(server, credential).beat({ sentTime: { seconds: now + 3600n } });
  const { clockSkew, status } = await get(collectorId);
  t.true(clockSkew && Math.abs(durationMs(clockSkew) - 3_600_000) < 60_000);
  t.is(status, Status.ACTIVE);
  t.deepEqual(await attentionOf(collectorId), ["CLOCK_SKEW"]);
});

test("absurd times in a heartbeat do no harm", async (t) => {
  const { credential } = await addCollector(server, owner);
  const process = makeProcess(server, credential);
  for (const seconds of [-62135596800n, 253402300799n, 0n]) {
    await process.beat({
      sentTime: { seconds },
      queue: { drops: [{ dropId: 1n, startTime: { seconds } }] },
    });
  }
  t.pass();
});

test("an active collector rotates its credential: the old one is valid until the new one is used", async (t) => {
  const { collectorId, credential, credentials, config } = await addCollector(server, owner);
  await collectors().requestCollectorRotation({ collectorId });
  t.true((await get(collectorId)).rotationRequested);
  const process = makeProcess(server, credential);
  t.true((await process.beat()).rotateCredential);
  const { credential: next } = await credentials.rotateCredential({});
  await config.getConfig({});
  await edgeCalls(server, next).config.getConfig({});
  t.false((await get(collectorId)).rotationRequested);
  // Half a second is how long a server may go on without asking again.
  await new Promise((resolve) => setTimeout(resolve, 600));
  t.like(await refused(config.getConfig({})), {
    code: Code.Unauthenticated,
    reason: Reason.CREDENTIAL_EXPIRED,
  });
  t.is((await get(collectorId)).status, Status.ACTIVE);
});

test("a rotation that is asked for again voids what nobody used", async (t) => {
  const { credentials, credential, config } = await addCollector(server, owner);
  const lost = (await credentials.rotateCredential({})).credential;
  const kept = (await credentials.rotateCredential({})).credential;
  t.like(await refused(edgeCalls(server, lost).config.getConfig({})), {
    code: Code.Unauthenticated,
  });
  await config.getConfig({});
  await edgeCalls(server, kept).config.getConfig({});
  t.not(kept, credential);
});

test("a new credential that is not used in time dies, and the old one lives on", async (t) => {
  const { credentials, config, collectorId } = await addCollector(server, owner);
  const { credential: next } = await credentials.rotateCredential({});
  await server.sql(
    "update edge_credentials set confirm_by = wall_clock() - interval '1 second' where state = 'pending' and edge_id = $1",
    [collectorId],
  );
  t.like(await refused(edgeCalls(server, next).config.getConfig({})), {
    code: Code.Unauthenticated,
  });
  t.truthy(await config.getConfig({}));
});

test("an old credential is rotated on schedule", async (t) => {
  const { collectorId, credential } = await addCollector(server, owner);
  const process = makeProcess(server, credential);
  t.false((await process.beat()).rotateCredential);
  await server.sql(
    "update edge_credentials set created_at = created_at - interval '91 days' where edge_id = $1",
    [collectorId],
  );
  t.true((await process.beat()).rotateCredential);
});

test("revocation is final, and in force within a second", async (t) => {
  const { collectorId, credential, config, metrics } = await addCollector(server, owner);
  await makeProcess(server, credential).beat();
  const { collector } = await collectors().revokeCollector({ collectorId });
  t.is(collector?.status, Status.REVOKED);
  const calls = [
    config.getConfig({}),
    metrics.writeMetrics({}),
    makeProcess(server, credential).beat(),
  ];
  for (const call of calls) {
    t.like(await refused(call), { code: Code.Unauthenticated, reason: Reason.REVOKED });
  }
  for (const call of [
    collectors().revokeCollector({ collectorId }),
    collectors().requestCollectorRotation({ collectorId }),
    collectors().dismissCollectorDuplicate({ collectorId }),
    collectors().replaceEnrollmentToken({ collectorId }),
  ]) {
    t.like(await refused(call), { code: Code.FailedPrecondition });
  }
});

test("the database itself refuses to reactivate a revoked collector", async (t) => {
  const { collectorId } = await addCollector(server, owner);
  await collectors().revokeCollector({ collectorId });
  await t.throwsAsync(
    server.sql("update edges set status = 'active' where edge_id = $1", [collectorId]),
    { message: /cannot go from revoked to active/ },
  );
});

test("a collector's credential is not a user's: it opens no management rpc", async (t) => {
  const { credential } = await addCollector(server, owner);
  const call = server.client(UserService, credential).listUsers({});
  t.like(await refused(call), { code: Code.PermissionDenied, reason: Reason.NOT_ALLOWED });
});

test("a temporary offline period is shown and revokes nobody", async (t) => {
  // A server of its own, since its clock is set.
  await using elsewhere = await startTestServer();
  const admin = await setUp(elsewhere);
  const { collectorId, credential, config } = await addCollector(elsewhere, admin);
  await makeProcess(elsewhere, credential).beat();
  await shiftClock(elsewhere, "3 days");
  const { collector } = await elsewhere
    .client(CollectorService, admin.token)
    .getCollector({ collectorId });
  t.is(collector?.status, Status.ACTIVE);
  t.deepEqual(
    collector?.attention.map(({ kind }) => Attention[kind]),
    ["MISSED_HEARTBEATS"],
  );
  t.truthy(await config.getConfig({}));
});

test("collectors are listed newest first, in pages, by zone and by status", async (t) => {
  const { zone } = await server
    .client(ZoneService, owner.token)
    .createZone({ displayName: "the list's own" });
  const { zoneId = "" } = zone ?? {};
  for (const displayName of ["p1", "p2", "p3"]) {
    await collectors().createCollector({ displayName, zoneId });
  }
  const ask = { pageSize: 2, zoneId, statuses: [Status.PENDING] };
  const first = await collectors().listCollectors(ask);
  const second = await collectors().listCollectors({ ...ask, pageToken: first.nextPageToken });
  t.deepEqual(
    [first, second].map((page) => page.collectors.map(({ displayName }) => displayName)),
    [["p3", "p2"], ["p1"]],
  );
  t.is(second.nextPageToken, "");
  t.is(
    (await collectors().listCollectors({ zoneId, statuses: [Status.ACTIVE] })).collectors.length,
    0,
  );
  t.like(await refused(collectors().listCollectors({ pageToken: "x" })), {
    code: Code.InvalidArgument,
  });
});
