import { timestampFromMs, timestampNow } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import test from "ava";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import {
  QueueHealth_Drop_Reason as DropReason,
  SendHeartbeatRequest_Warning as Warning,
} from "../../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { AgentService } from "../../../gen/lumetry/v1/agent_service_pb.js";
import { AuditService } from "../../../gen/lumetry/v1/audit_service_pb.js";
import { CollectorService } from "../../../gen/lumetry/v1/collector_service_pb.js";
import { Attention_Kind as Kind, EdgeStatus as Status } from "../../../gen/lumetry/v1/edge_pb.js";
import { MetricQueryService } from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { addAgent, addProfile, enrollAgent } from "../../support/agent.ts";
import { addCollector, edgeCalls, makeProcess } from "../../support/collector.ts";
import { refused } from "../../support/refusal.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const agents = () => server.client(AgentService, owner.token);
const get = async (agentId: string) => {
  const { agent } = await agents().getAgent({ agentId });
  if (!agent) throw new Error("no agent");
  return agent;
};
const kindsOf = async (agentId: string) => (await get(agentId)).attention.map(({ kind }) => kind);

test("an agent's series carry its id and its profile's labels, over whatever it sends", async (t) => {
  const { token } = await addProfile(server, owner, { labels: { team: "web" } });
  const { credential, agentId } = await enrollAgent(server, token);
  const { metrics } = edgeCalls(server, credential);
  await metrics.writeMetrics({
    batchId: "one",
    series: [
      {
        metric: "agents.test",
        labels: { team: "mine", own: "kept" },
        points: [{ time: timestampNow(), value: 1 }],
      },
    ],
  });
  const { series } = await server
    .client(MetricQueryService, owner.token)
    .listLatestValues({ metric: "agents.test" });
  t.deepEqual(series[0]?.labels, { team: "web", own: "kept", "lumetry.agent_id": agentId });
});

test("a batch keeps its identity on whichever way it is retried", async (t) => {
  const collector = await addCollector(server, owner);
  const { credential } = await addAgent(server, owner);
  const batch = {
    batchId: "the same",
    series: [{ metric: "agents.retry", points: [{ time: timestampNow(), value: 1 }] }],
  };
  const relayed = await edgeCalls(server, credential, collector.credential).metrics.writeMetrics(
    batch,
  );
  const direct = await edgeCalls(server, credential).metrics.writeMetrics(batch);
  t.deepEqual(direct, relayed);
  const rows = await server.sql("select 1 from batches where batch_id = 'the same'");
  t.is(rows.length, 1);
});

test("heartbeats show version, queue, skew and warnings, and losses go to a ledger", async (t) => {
  const { agentId, credential } = await addAgent(server, owner);
  await makeProcess(server, credential).beat({
    version: "1.2.3",
    sentTime: timestampFromMs(Date.now() + 90_000),
    warnings: [Warning.CLEARTEXT_UPSTREAM],
    queue: {
      queueId: "q",
      queuedPoints: 12n,
      drops: [{ dropId: 1n, points: 7n, reason: DropReason.LIMIT }],
    },
  });
  const agent = await get(agentId);
  t.like(agent, { version: "1.2.3", status: Status.ACTIVE });
  t.is(agent.queue?.queuedPoints, 12n);
  t.truthy(agent.lastSeenAge);
  const kinds = agent.attention.map(({ kind }) => kind);
  t.deepEqual(kinds, [Kind.POINTS_DROPPED, Kind.CLOCK_SKEW, Kind.CLEARTEXT_UPSTREAM]);
  const { contacts } = await agents().listAgentContacts({ agentId });
  t.deepEqual(
    contacts.map(({ heartbeats }) => heartbeats),
    [1n],
  );
  const { drops } = await agents().listAgentDrops({ agentId });
  t.deepEqual(
    drops.map(({ points, reason }) => [points, reason]),
    [[7n, DropReason.LIMIT]],
  );
});

test("an agent that is silent is shown with its age, and stays what it is", async (t) => {
  const { agentId, credential } = await addAgent(server, owner);
  await makeProcess(server, credential).beat();
  await server.sql(
    "update edges set last_seen_at = wall_clock() - interval '12 minutes' where edge_id = $1",
    [agentId],
  );
  const agent = await get(agentId);
  t.is(agent.status, Status.ACTIVE);
  t.regex(agent.attention[0]?.message ?? "", /12 minutes/);
});

test("two processes under one credential are suspected, with evidence, until somebody decides", async (t) => {
  const { agentId, credential } = await addAgent(server, owner);
  const [original, copy] = [
    makeProcess(server, credential, "a"),
    makeProcess(server, credential, "b"),
  ];
  for (const process of [original, copy, original, copy, original]) await process.beat();
  const agent = await get(agentId);
  t.is(agent.status, Status.DUPLICATE_SUSPECTED);
  t.deepEqual(
    new Set([
      agent.duplicateEvidence?.returned?.hostname,
      agent.duplicateEvidence?.replacement?.hostname,
    ]),
    new Set(["a", "b"]),
  );
  t.like(await refused(edgeCalls(server, credential).credentials.rotateCredential({})), {
    reason: Reason.DUPLICATE_SUSPECTED,
  });
  const { agent: dismissed } = await agents().dismissAgentDuplicate({ agentId });
  t.is(dismissed?.status, Status.ACTIVE);
  const { auditEvents } = await server
    .client(AuditService, owner.token)
    .listAuditEvents({ targetId: agentId });
  t.deepEqual(auditEvents.map(({ action }) => action).slice(0, 2), [
    "agent.duplicate_dismissed",
    "agent.duplicate_suspected",
  ]);
});

test("asked to rotate, it is told at its next heartbeat; the first use of the new credential ends the old", async (t) => {
  const { agentId, credential } = await addAgent(server, owner);
  await agents().requestAgentRotation({ agentId });
  t.true((await makeProcess(server, credential).beat()).rotateCredential);
  const { credential: next } = await edgeCalls(server, credential).credentials.rotateCredential({});
  t.regex(next, /^lmtac_/);
  await edgeCalls(server, credential).config.getConfig({});
  await edgeCalls(server, next).config.getConfig({});
  // Half a second is how long a server may go on without asking again.
  await new Promise((resolve) => setTimeout(resolve, 600));
  t.like(await refused(edgeCalls(server, credential).config.getConfig({})), {
    code: Code.Unauthenticated,
    reason: Reason.CREDENTIAL_EXPIRED,
  });
  t.false((await get(agentId)).rotationRequested);
});

test("revocation is final, and in force at once, on every way", async (t) => {
  const collector = await addCollector(server, owner);
  const { agentId, credential } = await addAgent(server, owner);
  await agents().revokeAgent({ agentId });
  for (const relay of [undefined, collector.credential]) {
    t.like(await refused(edgeCalls(server, credential, relay).config.getConfig({})), {
      code: Code.Unauthenticated,
      reason: Reason.REVOKED,
    });
  }
  t.like(await refused(agents().revokeAgent({ agentId })), { code: Code.FailedPrecondition });
  await t.throwsAsync(
    server.sql("update edges set status = 'active' where edge_id = $1", [agentId]),
  );
  t.deepEqual(await kindsOf(agentId), []);
});

test("collectors and agents are not taken for each other", async (t) => {
  const collector = await addCollector(server, owner);
  const { agentId } = await addAgent(server, owner);
  const collectors = server.client(CollectorService, owner.token);
  const { collectorId } = collector;
  for (const call of [
    agents().getAgent({ agentId: collectorId }),
    agents().revokeAgent({ agentId: collectorId }),
    agents().updateAgent({ agentId: collectorId, displayName: "x" }),
    collectors.getCollector({ collectorId: agentId }),
    collectors.revokeCollector({ collectorId: agentId }),
    collectors.replaceEnrollmentToken({ collectorId: agentId }),
  ]) {
    t.like(await refused(call), { code: Code.NotFound });
  }
});

test("hosts are found by what is known of them, page by page", async (t) => {
  const { zone } = await server
    .client(ZoneService, owner.token)
    .createZone({ displayName: "the listed" });
  const zoneId = zone?.zoneId ?? "";
  const { token, profileId } = await addProfile(server, { token: owner.token, zoneId });
  const names = ["alpha-1", "alpha-2", "beta-1", "100%_done"];
  for (const hostname of names) await enrollAgent(server, token, { host: { hostname } });
  const found = async (filter: Parameters<ReturnType<typeof agents>["listAgents"]>[0]) => {
    const { agents: list } = await agents().listAgents({ zoneId, ...filter });
    return list.map(({ displayName }) => displayName);
  };
  t.deepEqual(await found({}), names.toReversed());
  t.deepEqual(await found({ search: "ALPHA" }), ["alpha-2", "alpha-1"]);
  t.deepEqual(await found({ search: "%" }), ["100%_done"]);
  t.deepEqual(await found({ search: "_" }), ["100%_done"]);
  t.deepEqual(await found({ search: "\\" }), []);
  t.deepEqual(await found({ profileId, search: "beta" }), ["beta-1"]);
  t.deepEqual(await found({ statuses: [Status.REVOKED] }), []);
  t.is((await found({ unassigned: true })).length, 4);
  const seen: string[] = [];
  let pageToken = "";
  do {
    const page = await agents().listAgents({ zoneId, pageSize: 3, pageToken });
    seen.push(...page.agents.map(({ displayName }) => displayName));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  t.deepEqual(seen, names.toReversed());
});

test("an agent is renamed, and every change has its line in the audit log", async (t) => {
  const { agentId } = await addAgent(server, owner);
  const { agent } = await agents().updateAgent({ agentId, displayName: "the mail server" });
  t.is(agent?.displayName, "the mail server");
  await agents().moveAgent({ agentId, zoneId: owner.zoneId });
  const { auditEvents } = await server
    .client(AuditService, owner.token)
    .listAuditEvents({ targetId: agentId });
  t.deepEqual(
    auditEvents.map(({ action }) => action),
    ["agent.moved", "agent.updated", "agent.enrolled"],
  );
});
