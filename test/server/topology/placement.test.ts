import test from "ava";
import { EnrollAgentResponse_Placement as Placement } from "../../../gen/lumetry/edge/v1/enrollment_service_pb.js";
import { AgentService } from "../../../gen/lumetry/v1/agent_service_pb.js";
import { AuditService } from "../../../gen/lumetry/v1/audit_service_pb.js";
import { Attention_Kind as AttentionKind } from "../../../gen/lumetry/v1/edge_pb.js";
import {
  TopologyNode_Kind as Kind,
  TopologyService,
} from "../../../gen/lumetry/v1/topology_service_pb.js";
import { foldName } from "../../../server/topology/names.ts";
import { addProfile, enrollAgent } from "../../support/agent.ts";
import {
  addWorkspace,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../../support/server.ts";

let server: TestServer;
let owner: Owner;
let token: string;

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  token = (await addProfile(server, owner, { maxUses: 1000 })).token;
});
test.after.always(() => server?.[Symbol.asyncDispose]());

async function addNode(displayName: string, kind = Kind.CLUSTER, admin = owner.token) {
  const { node } = await server
    .client(TopologyService, admin)
    .createTopologyNode({ kind, displayName });
  return node?.nodeId ?? "";
}

const byName = (value: string) =>
  enrollAgent(server, token, { placement: { case: "clusterName", value } });
const byId = (value: string) =>
  enrollAgent(server, token, { placement: { case: "clusterId", value } });
const getAgent = async (agentId: string) => {
  const { agent } = await server.client(AgentService, owner.token).getAgent({ agentId });
  if (!agent) throw new Error("no agent");
  return agent;
};

test("names are compared as Unicode folds them, whatever the database's locale", (t) => {
  for (const [one, another] of [
    ["ANVMBWEBWX", "anvmbwebwx"],
    ["Straße", "STRASSE"],
    ["ΟΔΌΣ", "οδός"],
    ["ÉCOLE", "e\u0301cole"],
    ["ЖУК", "жук"],
    ["ﬁle", "FILE"],
    [" padded ", "PADDED"],
  ] as const) {
    t.is(foldName(one), foldName(another), one);
  }
  t.not(foldName("web-1"), foldName("web-2"));
  t.not(foldName("ecole"), foldName("école"));
});

test("a host asks for a cluster by its name, without regard to case, or by its exact id", async (t) => {
  const clusterId = await addNode("ANVMBWEBWX");
  t.regex(clusterId, /^cls\.[a-z]{10}$/);
  for (const answer of [await byName("anvmbWEBwx"), await byId(clusterId)]) {
    t.like(answer, { placement: Placement.PLACED, clusterId, clusterName: "ANVMBWEBWX" });
    t.like(await getAgent(answer.agentId), { clusterId, clusterName: "ANVMBWEBWX" });
  }
  const { agents } = await server.client(AgentService, owner.token).listAgents({ clusterId });
  t.is(agents.length, 2);
});

test("whatever is asked for, the host enrolls, is told what became of it, and so is the audit log", async (t) => {
  await addNode("twins");
  await addNode("TWINS");
  const siteId = await addNode("Lyon", Kind.SITE);
  const theirs = await addNode(
    "Theirs",
    Kind.CLUSTER,
    (await addWorkspace(server, owner.token)).token,
  );
  const clusterId = await addNode("single");
  const wishes: [Promise<Awaited<ReturnType<typeof byName>>>, Placement][] = [
    [byName("no such"), Placement.NOT_FOUND],
    [byName("twins"), Placement.AMBIGUOUS],
    [byName("LYON"), Placement.NOT_A_CLUSTER],
    [byId(siteId), Placement.NOT_A_CLUSTER],
    [byId("cls.aaaaaaaaaa"), Placement.NOT_FOUND],
    [byId(clusterId.toUpperCase()), Placement.NOT_FOUND],
    [byId(theirs), Placement.NOT_FOUND],
    [byName("Theirs"), Placement.NOT_FOUND],
    [byName("a\0b"), Placement.NOT_FOUND],
    [byName("x".repeat(5000)), Placement.NOT_FOUND],
    [byId("'; drop table agents; --"), Placement.NOT_FOUND],
    [byName(""), Placement.NOT_ASKED],
    [byName("   "), Placement.NOT_ASKED],
    [enrollAgent(server, token), Placement.NOT_ASKED],
  ];
  for (const [enrolling, placement] of wishes) {
    const answer = await enrolling;
    t.like(answer, { placement, clusterId: "", clusterName: "" });
    const agent = await getAgent(answer.agentId);
    t.is(agent.placement, placement);
    const matter = agent.attention.some(({ kind }) => kind === AttentionKind.UNASSIGNED);
    t.is(matter, placement !== Placement.NOT_ASKED);
    const { auditEvents } = await server
      .client(AuditService, owner.token)
      .listAuditEvents({ targetId: answer.agentId });
    const details = JSON.parse(auditEvents[0]?.details ?? "{}");
    t.is(details.placement, Placement[placement]?.toLowerCase());
  }
});

test("a name that a cluster shares with a site still identifies exactly one cluster", async (t) => {
  await addNode("Shared", Kind.SITE);
  const clusterId = await addNode("shared");
  t.like(await byName("SHARED"), { placement: Placement.PLACED, clusterId });
});

test("a host that asks for nothing goes where the profile says; one that asks in vain goes nowhere", async (t) => {
  const clusterId = await addNode("the default");
  const { token: placing } = await addProfile(server, owner, { clusterId });
  t.like(await enrollAgent(server, placing), {
    placement: Placement.NOT_ASKED,
    clusterId,
    clusterName: "the default",
  });
  const vain = { case: "clusterName", value: "elsewhere" } as const;
  t.like(await enrollAgent(server, placing, { placement: vain }), {
    placement: Placement.NOT_FOUND,
    clusterId: "",
  });
});

test("asked again after a lost answer, the host is told what it was told before", async (t) => {
  const clusterId = await addNode("steady");
  const nonce = new Uint8Array(32).fill(3);
  const placement = { case: "clusterName", value: "Steady" } as const;
  const first = await enrollAgent(server, token, { nonce, placement });
  await server
    .client(TopologyService, owner.token)
    .updateTopologyNode({ nodeId: clusterId, displayName: "renamed" });
  const second = await enrollAgent(server, token, { nonce, placement });
  t.like(second, { agentId: first.agentId, placement: Placement.PLACED, clusterId });
  t.is(second.clusterName, "renamed");
});

test("a cluster that is deleted while hosts ask for it fails none of them", async (t) => {
  for (let round = 0; round < 5; round += 1) {
    const nodeId = await addNode("fleeting");
    const topology = server.client(TopologyService, owner.token);
    const [answers] = await Promise.all([
      Promise.all(Array.from({ length: 10 }, () => byName("fleeting"))),
      topology.deleteTopologyNode({ nodeId }).catch(() => {}),
    ]);
    for (const { placement } of answers) {
      t.true(placement === Placement.PLACED || placement === Placement.NOT_FOUND);
    }
    for (const { agentId, clusterId } of answers) {
      t.is((await getAgent(agentId)).clusterId, clusterId);
      await server.client(AgentService, owner.token).revokeAgent({ agentId });
    }
    await topology.deleteTopologyNode({ nodeId }).catch(() => {});
  }
});
