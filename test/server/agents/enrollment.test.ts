import { randomBytes } from "node:crypto";
import { Code } from "@connectrpc/connect";
import test from "ava";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import { AgentService } from "../../../gen/lumetry/v1/agent_service_pb.js";
import { AuditService } from "../../../gen/lumetry/v1/audit_service_pb.js";
import { EdgeStatus as Status } from "../../../gen/lumetry/v1/edge_pb.js";
import {
  EnrollmentProfileService,
  EnrollmentProfile_Status as ProfileStatus,
} from "../../../gen/lumetry/v1/enrollment_profile_service_pb.js";
import { addProfile, enrollAgent } from "../../support/agent.ts";
import { edgeCalls } from "../../support/collector.ts";
import { outcomes, refused } from "../../support/refusal.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const profiles = () => server.client(EnrollmentProfileService, owner.token);
const agents = () => server.client(AgentService, owner.token);
const getAgent = async (agentId: string) => {
  const { agent } = await agents().getAgent({ agentId });
  if (!agent) throw new Error("no agent");
  return agent;
};
const getProfile = async (profileId: string) => {
  const { profile } = await profiles().getEnrollmentProfile({ profileId });
  if (!profile) throw new Error("no profile");
  return profile;
};

/** Makes a profile run out without waiting a day. */
const expire = (profileId: string) =>
  server.sql(
    "update enrollment_profiles set expires_at = wall_clock() - interval '1 second' where profile_id = $1",
    [profileId],
  );

test("with the token alone a host becomes an agent, in the profile's zone", async (t) => {
  const { token, profileId } = await addProfile(server, owner, { labels: { site: "lyon" } });
  t.regex(token, /^lmtae_/);
  const host = { hostname: "db-7", architecture: "x64", machineFingerprint: "db-7's" };
  const answer = await enrollAgent(server, token, { host });
  t.regex(answer.agentId, /^agt\.[a-z]{10}$/);
  t.regex(answer.credential, /^lmtac_/);
  t.true((answer.heartbeatInterval?.seconds ?? 0n) > 0n);
  await edgeCalls(server, answer.credential).config.getConfig({});
  const agent = await getAgent(answer.agentId);
  t.is(agent.status, Status.ACTIVE);
  t.is(agent.displayName, "db-7");
  t.is(agent.host?.hostname, "db-7");
  t.is(agent.zoneId, owner.zoneId);
  t.is(agent.profileId, profileId);
  t.is(agent.path?.collectorId, "");
  t.deepEqual(agent.labels, { site: "lyon" });
});

test("the token and the credential are shown once, and kept only as hashes", async (t) => {
  const { token } = await addProfile(server, owner);
  const { credential, agentId } = await enrollAgent(server, token);
  const [row] = await server.sql(
    `select (select json_agg(p) from enrollment_profiles p) a, (select json_agg(c) from edge_credentials c) b,
       (select json_agg(e) from audit_events e) c, (select json_agg(e) from edges e) d, (select json_agg(g) from agents g) e`,
  );
  const everything = JSON.stringify(row);
  t.true(everything.includes(agentId));
  for (const secret of [token, credential]) t.false(everything.includes(secret));
});

test("one token enrolls host after host, and each is counted", async (t) => {
  const { token, profileId, profile } = await addProfile(server, owner, { maxUses: 3 });
  t.is(profile.remainingUses, 3);
  const first = await enrollAgent(server, token);
  const second = await enrollAgent(server, token);
  t.not(first.agentId, second.agentId);
  t.is((await getProfile(profileId)).remainingUses, 1);
  await enrollAgent(server, token);
  t.like(await getProfile(profileId), { remainingUses: 0, status: ProfileStatus.EXHAUSTED });
  t.like(await refused(enrollAgent(server, token)), {
    code: Code.Unauthenticated,
    reason: Reason.TOKEN_EXHAUSTED,
  });
});

test("of a hundred hosts at once exactly as many enroll as the profile allows", async (t) => {
  const { token, profileId } = await addProfile(server, owner, { maxUses: 10 });
  const { answered, codes } = await outcomes(
    Array.from({ length: 100 }, () => enrollAgent(server, token)),
  );
  t.is(answered, 10);
  t.true(codes.every((code) => code === Code.Unauthenticated));
  const rows = await server.sql("select 1 from agents where profile_id = $1", [profileId]);
  t.is(rows.length, 10);
  t.is((await getProfile(profileId)).remainingUses, 0);
});

test("of a hundred attempts with one nonce one agent comes, with one valid credential, by one use", async (t) => {
  const { token, profileId } = await addProfile(server, owner);
  const nonce = randomBytes(32);
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => enrollAgent(server, token, { nonce })),
  );
  t.is(new Set(answers.map(({ agentId }) => agentId)).size, 1);
  t.is((await getProfile(profileId)).remainingUses, 99);
  const { answered } = await outcomes(
    answers.map(({ credential }) => edgeCalls(server, credential).config.getConfig({})),
  );
  t.is(answered, 1);
});

test("asked again with the same nonce before the credential was used, a fresh one replaces it", async (t) => {
  const { token, profileId } = await addProfile(server, owner, { maxUses: 1 });
  const nonce = randomBytes(32);
  const first = await enrollAgent(server, token, { nonce });
  // The answer was lost, or the agent crashed before it had it on disk; meanwhile all has ended.
  await expire(profileId);
  await profiles().disableEnrollmentProfile({ profileId });
  const second = await enrollAgent(server, token, { nonce });
  t.is(second.agentId, first.agentId);
  t.not(second.credential, first.credential);
  await edgeCalls(server, second.credential).config.getConfig({});
  t.like(await refused(edgeCalls(server, first.credential).config.getConfig({})), {
    code: Code.Unauthenticated,
    reason: Reason.CREDENTIAL_EXPIRED,
  });
  t.like(await refused(enrollAgent(server, token, { nonce })), { reason: Reason.TOKEN_USED });
  const { auditEvents } = await server
    .client(AuditService, owner.token)
    .listAuditEvents({ targetId: first.agentId });
  t.deepEqual(
    auditEvents.map(({ action }) => action),
    ["agent.enrollment_taken_up", "agent.enrolled"],
  );
});

test("a nonce is nobody's chance by the token of another profile", async (t) => {
  const nonce = randomBytes(32);
  const [one, another] = [await addProfile(server, owner), await addProfile(server, owner)];
  const first = await enrollAgent(server, one.token, { nonce });
  const second = await enrollAgent(server, another.token, { nonce });
  t.not(second.agentId, first.agentId);
  await t.notThrowsAsync(edgeCalls(server, first.credential).config.getConfig({}));
});

test("an expired or disabled profile enrolls nobody more, and those that came by it go on", async (t) => {
  const over = [
    [expire, Reason.TOKEN_EXPIRED, ProfileStatus.EXPIRED],
    [
      (profileId: string) => profiles().disableEnrollmentProfile({ profileId }),
      Reason.TOKEN_DISABLED,
      ProfileStatus.DISABLED,
    ],
  ] as const;
  for (const [end, reason, status] of over) {
    const { token, profileId } = await addProfile(server, owner);
    const { credential } = await enrollAgent(server, token);
    await end(profileId);
    t.like(await refused(enrollAgent(server, token)), { code: Code.Unauthenticated, reason });
    t.is((await getProfile(profileId)).status, status);
    await t.notThrowsAsync(edgeCalls(server, credential).config.getConfig({}));
    const { auditEvents } = await server
      .client(AuditService, owner.token)
      .listAuditEvents({ targetId: profileId });
    t.is(auditEvents[0]?.action, "agent.enrollment_refused");
  }
});

test("junk and tokens of other kinds are refused as unknown", async (t) => {
  for (const token of ["x", "lmtae_", "'; drop table agents; --", owner.token]) {
    t.like(await refused(enrollAgent(server, token)), {
      code: Code.Unauthenticated,
      reason: Reason.TOKEN_UNKNOWN,
    });
  }
});

test("an agent that was revoked before its credential was used cannot ask again", async (t) => {
  const { token } = await addProfile(server, owner);
  const nonce = randomBytes(32);
  const { agentId } = await enrollAgent(server, token, { nonce });
  await agents().revokeAgent({ agentId });
  t.like(await refused(enrollAgent(server, token, { nonce })), {
    code: Code.Unauthenticated,
    reason: Reason.REVOKED,
  });
});

test("a host that enrolls again gets an identity of its own, linked to those it had", async (t) => {
  const { token } = await addProfile(server, owner);
  const host = { hostname: "web-9", machineFingerprint: "the same machine" };
  const [first, second, third] = [
    await enrollAgent(server, token, { host }),
    await enrollAgent(server, token, { host }),
    await enrollAgent(server, token, { host }),
  ];
  t.is(new Set([first.agentId, second.agentId, third.agentId]).size, 3);
  const latest = await getAgent(third.agentId);
  t.deepEqual(latest.earlierAgentIds, [second.agentId, first.agentId]);
  t.is(latest.latestAgentId, "");
  const oldest = await getAgent(first.agentId);
  t.deepEqual(oldest.earlierAgentIds, []);
  t.is(oldest.latestAgentId, third.agentId);
  t.regex(oldest.attention.map(({ message }) => message).join(), /enrolled again/);
  // Machines that tell no fingerprint are strangers to each other.
  const nameless = await enrollAgent(server, token);
  t.deepEqual((await getAgent(nameless.agentId)).earlierAgentIds, []);
});
