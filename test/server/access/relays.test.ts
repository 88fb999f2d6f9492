/**
 * A collector that passes a call on names itself in a header, with its own credential. Here the
 * header is sent by hand, so that what a relay would never send is tried as well.
 */
import { Code } from "@connectrpc/connect";
import test from "ava";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import { AgentService } from "../../../gen/lumetry/v1/agent_service_pb.js";
import { CollectorService } from "../../../gen/lumetry/v1/collector_service_pb.js";
import { Attention_Kind as Kind } from "../../../gen/lumetry/v1/edge_pb.js";
import { IngestionKeyService } from "../../../gen/lumetry/v1/ingestion_key_service_pb.js";
import { SessionService } from "../../../gen/lumetry/v1/session_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { makeSecret } from "../../../lib/secret.ts";
import { addAgent, addProfile, enrollAgent } from "../../support/agent.ts";
import { addCollector, edgeCalls, makeProcess } from "../../support/collector.ts";
import { outcomes, refused } from "../../support/refusal.ts";
import {
  addWorkspace,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../../support/server.ts";

let server: TestServer;
let owner: Owner;
let elsewhere: { token: string; zoneId: string };

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  const { zone } = await server
    .client(ZoneService, owner.token)
    .createZone({ displayName: "elsewhere" });
  elsewhere = { token: owner.token, zoneId: zone?.zoneId ?? "" };
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const agents = () => server.client(AgentService, owner.token);
const getAgent = async (agentId: string) => {
  const { agent } = await agents().getAgent({ agentId });
  if (!agent) throw new Error("no agent");
  return agent;
};

const REFUSED = { code: Code.Unavailable, reason: Reason.RELAY_REFUSED };
const NOT_ALLOWED = { code: Code.PermissionDenied, reason: Reason.NOT_ALLOWED };

test("the server notes through whom each agent came last, and since when", async (t) => {
  const collector = await addCollector(server, owner, "edge-1");
  const { agentId, credential } = await addAgent(server, owner);
  t.is((await getAgent(agentId)).path?.collectorId, "");
  await edgeCalls(server, credential, collector.credential).config.getConfig({});
  const relayed = (await getAgent(agentId)).path;
  t.like(relayed, { collectorId: collector.collectorId, collectorName: "edge-1" });
  await edgeCalls(server, credential, collector.credential).metrics.writeMetrics({});
  t.deepEqual((await getAgent(agentId)).path, relayed);

  const { agents: behind } = await agents().listAgents({ collectorId: collector.collectorId });
  t.deepEqual(
    behind.map((agent) => agent.agentId),
    [agentId],
  );
  const { collector: shown } = await server
    .client(CollectorService, owner.token)
    .getCollector({ collectorId: collector.collectorId });
  t.is(shown?.relayedAgents, 1n);

  await edgeCalls(server, credential).config.getConfig({});
  t.is((await getAgent(agentId)).path?.collectorId, "");
});

test("a host that enrolls through a relay is in the collector's zone, whatever the profile says", async (t) => {
  const collector = await addCollector(server, elsewhere, "edge-2");
  const { token } = await addProfile(server, owner);
  const { agentId, credential } = await enrollAgent(server, token, {}, collector.credential);
  const agent = await getAgent(agentId);
  t.is(agent.zoneId, elsewhere.zoneId);
  t.is(agent.path?.collectorId, collector.collectorId);
  await t.notThrowsAsync(edgeCalls(server, credential, collector.credential).config.getConfig({}));
});

test("a collector of another zone is refused, the agent's identity is not, and operators see it", async (t) => {
  const foreign = await addCollector(server, elsewhere, "edge-3");
  const { agentId, credential } = await addAgent(server, owner);
  const through = edgeCalls(server, credential, foreign.credential);
  t.like(await refused(through.config.getConfig({})), REFUSED);
  t.like(await refused(through.metrics.writeMetrics({})), REFUSED);
  await t.notThrowsAsync(edgeCalls(server, credential).config.getConfig({}));
  const { attention, path } = await getAgent(agentId);
  t.is(path?.collectorId, "");
  const matter = attention.find(({ kind }) => kind === Kind.RELAY_REFUSED);
  t.regex(matter?.message ?? "", /collector edge-3, .* another zone/);

  await agents().moveAgent({ agentId, zoneId: elsewhere.zoneId });
  await t.notThrowsAsync(through.config.getConfig({}));
});

test("a collector of another workspace is refused, also for enrolling", async (t) => {
  const theirs = await addWorkspace(server, owner.token);
  const foreign = await addCollector(server, theirs);
  const { credential } = await addAgent(server, owner);
  t.like(
    await refused(edgeCalls(server, credential, foreign.credential).config.getConfig({})),
    REFUSED,
  );
  const { token } = await addProfile(server, owner);
  t.like(await refused(enrollAgent(server, token, {}, foreign.credential)), REFUSED);
});

test("a forged header is worth nothing: not for an agent, and not for a token", async (t) => {
  const { credential } = await addAgent(server, owner);
  const { token } = await addProfile(server, owner);
  const anotherAgent = await addAgent(server, owner);
  const { secret } = await server
    .client(IngestionKeyService, owner.token)
    .createIngestionKey({ displayName: "a key" });
  const forgeries = ["x", makeSecret("lmtcc"), owner.token, secret, anotherAgent.credential];
  for (const forged of forgeries) {
    t.like(await refused(edgeCalls(server, credential, forged).config.getConfig({})), REFUSED);
    t.like(await refused(enrollAgent(server, token, {}, forged)), REFUSED);
  }
});

test("that the relay is refused is told before that the agent's own credential is", async (t) => {
  const collector = await addCollector(server, owner);
  const calls = edgeCalls(server, makeSecret("lmtac"), makeSecret("lmtcc"));
  t.like(await refused(calls.config.getConfig({})), REFUSED);
  const unknown = edgeCalls(server, makeSecret("lmtac"), collector.credential);
  t.like(await refused(unknown.config.getConfig({})), {
    code: Code.Unauthenticated,
    reason: Reason.CREDENTIAL_UNKNOWN,
  });
});

test("however many come through a refused collector, each is told that it is to take another way", async (t) => {
  await using strict = await startTestServer({ anonymousCallsPerSecond: 1 });
  const boss = await setUp(strict);
  const { credential } = await addAgent(strict, boss);
  const through = edgeCalls(strict, credential, makeSecret("lmtcc"));
  for (let call = 0; call < 10; call += 1) {
    t.like(await refused(through.config.getConfig({})), REFUSED);
  }
  await t.notThrowsAsync(edgeCalls(strict, credential).config.getConfig({}));
});

test("collectors relay for agents only", async (t) => {
  const collector = await addCollector(server, owner);
  const other = await addCollector(server, owner);
  const { secret } = await server
    .client(IngestionKeyService, owner.token)
    .createIngestionKey({ displayName: "a key" });
  for (const relay of [collector.credential, makeSecret("lmtcc")]) {
    t.like(
      await refused(edgeCalls(server, other.credential, relay).config.getConfig({})),
      NOT_ALLOWED,
    );
    t.like(await refused(edgeCalls(server, secret, relay).metrics.writeMetrics({})), NOT_ALLOWED);
    const people = server.client(AgentService, owner.token, relay);
    t.like(await refused(people.listAgents({})), NOT_ALLOWED);
  }
});

test("what is not for agents cannot be reached through a collector, by whomever", async (t) => {
  const collector = await addCollector(server, owner);
  const { credential } = await addAgent(server, owner);
  const sessions = server.client(SessionService, undefined, collector.credential);
  t.like(await refused(sessions.createSession({ email: "a@b.example", password: "x" })), REFUSED);
  const managing = server.client(AgentService, credential, collector.credential);
  t.like(await refused(managing.listAgents({})), REFUSED);
});

test("a revoked collector relays nothing more within a second, and its agents go on directly", async (t) => {
  const collector = await addCollector(server, owner);
  const { credential } = await addAgent(server, owner);
  const through = edgeCalls(server, credential, collector.credential);
  await through.config.getConfig({});
  const { collectorId } = collector;
  await server.client(CollectorService, owner.token).revokeCollector({ collectorId });
  t.like(await refused(through.config.getConfig({})), REFUSED);
  await t.notThrowsAsync(edgeCalls(server, credential).config.getConfig({}));
});

test("a collector under suspicion goes on relaying", async (t) => {
  const collector = await addCollector(server, owner);
  const { credential } = await addAgent(server, owner);
  await server.sql(
    "update edges set status = 'duplicate_suspected', suspected_at = wall_clock() where edge_id = $1",
    [collector.collectorId],
  );
  await t.notThrowsAsync(edgeCalls(server, credential, collector.credential).config.getConfig({}));
});

test("a collector is told how its zone wants it to relay, and tells how it does", async (t) => {
  const { zone } = await server
    .client(ZoneService, owner.token)
    .createZone({ displayName: "strict", allowCleartextRelay: false });
  const zoneId = zone?.zoneId ?? "";
  const { collectorId, credential } = await addCollector(server, { token: owner.token, zoneId });
  const collector = makeProcess(server, credential);
  const relay = {
    url: "https://collector.internal:4319",
    publicKeySha256: new Uint8Array(32).fill(7),
    connections: 3,
  };
  const answer = await collector.beat({ relay });
  t.is(answer.relay?.allowCleartext, false);
  await server.client(ZoneService, owner.token).updateZone({ zoneId, allowCleartextRelay: true });
  t.is((await collector.beat({ relay })).relay?.allowCleartext, true);
  const { collector: shown } = await server
    .client(CollectorService, owner.token)
    .getCollector({ collectorId });
  t.like(shown?.relay, { url: relay.url, connections: 3 });

  const agent = await addAgent(server, owner);
  t.is((await makeProcess(server, agent.credential).beat()).relay, undefined);
});

test("hosts that enroll through a relay are counted against the collector, not its address", async (t) => {
  await using strict = await startTestServer({
    anonymousCallsPerSecond: 1,
    callsPerSecond: 10_000,
  });
  const boss = await setUp(strict);
  const collector = await addCollector(strict, boss);
  const { token } = await addProfile(strict, boss);
  const enrollments = Array.from({ length: 30 }, () =>
    enrollAgent(strict, token, {}, collector.credential),
  );
  t.is((await outcomes(enrollments)).answered, 30);
  const direct = await outcomes(Array.from({ length: 30 }, () => enrollAgent(strict, token)));
  t.true(direct.codes.length > 0);
  t.true(direct.codes.every((code) => code === Code.ResourceExhausted));
});
