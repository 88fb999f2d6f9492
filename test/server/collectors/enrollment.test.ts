import { randomBytes } from "node:crypto";
import { Code } from "@connectrpc/connect";
import test from "ava";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import { AuditService } from "../../../gen/lumetry/v1/audit_service_pb.js";
import { CollectorService } from "../../../gen/lumetry/v1/collector_service_pb.js";
import { EdgeStatus as Status } from "../../../gen/lumetry/v1/edge_pb.js";
import { edgeCalls, enroll, register } from "../../support/collector.ts";
import { outcomes, refused } from "../../support/refusal.ts";
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

/** Makes a token run out without waiting an hour. */
const expire = (collectorId: string) =>
  server.sql(
    "update collectors set token_expires_at = wall_clock() - interval '1 second' where collector_id = $1",
    [collectorId],
  );

test("a registration is pending until its token is redeemed, then active", async (t) => {
  const { collectorId, token } = await register(server, owner);
  t.regex(token, /^lmtce_/);
  const pending = await get(collectorId);
  t.is(pending.status, Status.PENDING);
  t.truthy(pending.enrollmentTokenExpireTime);
  const answer = await enroll(server, token, {
    host: {
      hostname: "db-7",
      architecture: "x64",
      kernelVersion: "6.1",
      machineFingerprint: "abc",
    },
  });
  t.is(answer.collectorId, collectorId);
  t.regex(answer.credential, /^lmtcc_/);
  const active = await get(collectorId);
  t.is(active.status, Status.ACTIVE);
  t.is(active.host?.hostname, "db-7");
  t.is(active.enrollmentTokenExpireTime, undefined);
});

test("the token is shown only in the response that made it, and kept only as a hash", async (t) => {
  const { collectorId, token } = await register(server, owner);
  const { credential } = await enroll(server, token);
  const everything = JSON.stringify(
    await server.sql(
      "select (select json_agg(c) from collectors c) as a, (select json_agg(c) from edge_credentials c) as b, (select json_agg(e) from audit_events e) as c, (select json_agg(e) from edges e) as d",
    ),
  );
  t.true(everything.includes(collectorId));
  for (const secret of [token, credential, owner.token]) t.false(everything.includes(secret));
});

test("the token works once", async (t) => {
  const { token, collectorId } = await register(server, owner);
  await enroll(server, token);
  const refusal = await refused(enroll(server, token));
  t.like(refusal, { code: Code.Unauthenticated, reason: Reason.TOKEN_USED });
  const { auditEvents } = await server
    .client(AuditService, owner.token)
    .listAuditEvents({ targetId: collectorId });
  t.deepEqual(
    auditEvents.map(({ action }) => action),
    ["collector.enrollment_refused", "collector.enrolled", "collector.created"],
  );
});

test("of a hundred at once with the same token exactly one gets an identity", async (t) => {
  const { token, collectorId } = await register(server, owner);
  const { answered, codes } = await outcomes(
    Array.from({ length: 100 }, () => enroll(server, token)),
  );
  t.is(answered, 1);
  t.true(codes.every((code) => code === Code.Unauthenticated));
  const rows = await server.sql(
    "select 1 from edge_credentials where edge_id = $1 and state <> 'ended'",
    [collectorId],
  );
  t.is(rows.length, 1);
});

test("an expired token is refused, and a replacement for it works", async (t) => {
  const { token, collectorId } = await register(server, owner);
  await expire(collectorId);
  t.like(await refused(enroll(server, token)), {
    code: Code.Unauthenticated,
    reason: Reason.TOKEN_EXPIRED,
  });
  t.true((await get(collectorId)).enrollmentTokenExpired);
  const { enrollmentToken } = await collectors().replaceEnrollmentToken({ collectorId });
  t.like(await refused(enroll(server, token)), { reason: Reason.TOKEN_UNKNOWN });
  t.is((await enroll(server, enrollmentToken?.secret ?? "")).collectorId, collectorId);
});

test("a token that is replaced before its time is void at once", async (t) => {
  const { token, collectorId } = await register(server, owner);
  await collectors().replaceEnrollmentToken({ collectorId });
  t.like(await refused(enroll(server, token)), { reason: Reason.TOKEN_UNKNOWN });
});

test("once enrolled, a collector gets no other enrollment token", async (t) => {
  const { token, collectorId } = await register(server, owner);
  await enroll(server, token);
  t.like(await refused(collectors().replaceEnrollmentToken({ collectorId })), {
    code: Code.FailedPrecondition,
  });
});

test("junk and tokens of other kinds are refused as unknown", async (t) => {
  for (const token of ["x", "lmtce_", "'; drop table collectors; --", owner.token]) {
    t.like(await refused(enroll(server, token)), {
      code: Code.Unauthenticated,
      reason: Reason.TOKEN_UNKNOWN,
    });
  }
});

test("asked again with the same nonce before the credential was used, a fresh credential replaces it", async (t) => {
  const { token, collectorId } = await register(server, owner);
  const nonce = randomBytes(32);
  const first = await enroll(server, token, { nonce });
  // The answer was lost, or the collector crashed before it had it on disk.
  const second = await enroll(server, token, { nonce });
  t.is(second.collectorId, collectorId);
  t.not(second.credential, first.credential);
  await edgeCalls(server, second.credential).config.getConfig({});
  t.like(await refused(edgeCalls(server, first.credential).config.getConfig({})), {
    code: Code.Unauthenticated,
    reason: Reason.CREDENTIAL_EXPIRED,
  });
});

test("with the same nonce after the credential was used, the token is used up", async (t) => {
  const { token } = await register(server, owner);
  const nonce = randomBytes(32);
  const { credential } = await enroll(server, token, { nonce });
  await edgeCalls(server, credential).config.getConfig({});
  t.like(await refused(enroll(server, token, { nonce })), { reason: Reason.TOKEN_USED });
});

test("with another nonce, a lost answer is nobody else's chance", async (t) => {
  const { token } = await register(server, owner);
  await enroll(server, token, { nonce: randomBytes(32) });
  t.like(await refused(enroll(server, token, { nonce: randomBytes(32) })), {
    reason: Reason.TOKEN_USED,
  });
});

test("a crashed enrollment can be taken up even after the token's hour", async (t) => {
  const { token, collectorId } = await register(server, owner);
  const nonce = randomBytes(32);
  await enroll(server, token, { nonce });
  await expire(collectorId);
  t.is((await enroll(server, token, { nonce })).collectorId, collectorId);
});

test("a pending registration can be revoked, and its token dies with it", async (t) => {
  const { token, collectorId } = await register(server, owner);
  const { collector } = await collectors().revokeCollector({ collectorId });
  t.is(collector?.status, Status.REVOKED);
  t.like(await refused(enroll(server, token)), { reason: Reason.TOKEN_UNKNOWN });
});

test("a collector cannot be registered in a zone that is not there", async (t) => {
  const call = collectors().createCollector({ displayName: "x", zoneId: "zon.aaaaaaaaaa" });
  t.like(await refused(call), { code: Code.NotFound });
});
