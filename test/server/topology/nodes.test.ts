import { Code } from "@connectrpc/connect";
import test from "ava";
import { AgentService } from "../../../gen/lumetry/v1/agent_service_pb.js";
import { EnrollmentProfileService } from "../../../gen/lumetry/v1/enrollment_profile_service_pb.js";
import {
  TopologyNode_Kind as Kind,
  TopologyService,
} from "../../../gen/lumetry/v1/topology_service_pb.js";
import { addAgent, addProfile } from "../../support/agent.ts";
import { refused } from "../../support/refusal.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const topology = () => server.client(TopologyService, owner.token);
const agents = () => server.client(AgentService, owner.token);

async function add(kind: Kind, displayName: string, parentId = ""): Promise<string> {
  const { node } = await topology().createTopologyNode({ kind, displayName, parentId });
  return node?.nodeId ?? "";
}

test("sites hold groups and clusters, groups hold clusters, and nothing holds itself", async (t) => {
  const site = await add(Kind.SITE, "Lyon");
  const group = await add(Kind.GROUP, "web", site);
  const cluster = await add(Kind.CLUSTER, "web-a", group);
  t.regex(site, /^sit\./);
  t.regex(group, /^grp\./);
  const { nodes } = await topology().listTopologyNodes({ parentId: group });
  t.deepEqual(
    nodes.map(({ nodeId }) => nodeId),
    [cluster],
  );
  for (const [nodeId, parentId] of [
    [site, group],
    [group, cluster],
    [group, group],
    [cluster, cluster],
  ] as const) {
    t.like(await refused(topology().updateTopologyNode({ nodeId, parentId })), {
      code: Code.InvalidArgument,
    });
  }
  await topology().updateTopologyNode({ nodeId: cluster, parentId: site });
  await topology().updateTopologyNode({ nodeId: cluster, parentId: "" });
  t.is((await topology().getTopologyNode({ nodeId: cluster })).node?.parentId, "");
});

test("nodes are listed by name, page by page, each once, also where names are alike", async (t) => {
  const made = new Set<string>();
  for (const name of ["same", "SAME", "Same", "other", "zeta"]) {
    made.add(await add(Kind.CLUSTER, `paged ${name}`));
  }
  const seen: string[] = [];
  let pageToken = "";
  do {
    const page = await topology().listTopologyNodes({
      pageSize: 2,
      pageToken,
      kinds: [Kind.CLUSTER],
    });
    seen.push(...page.nodes.map(({ nodeId }) => nodeId));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  t.is(new Set(seen).size, seen.length);
  for (const nodeId of made) t.true(seen.includes(nodeId));
});

test("a cluster is renamed and its id stays; its hosts are counted", async (t) => {
  const nodeId = await add(Kind.CLUSTER, "before");
  const { agentId } = await addAgent(server, owner);
  await agents().updateAgent({ agentId, clusterId: nodeId });
  const { node } = await topology().updateTopologyNode({ nodeId, displayName: "after" });
  t.like(node, { nodeId, displayName: "after", agents: 1n });
});

test("a node in use is not deleted, and the refusal says by what; then it is", async (t) => {
  const nodeId = await add(Kind.CLUSTER, "in use");
  const { agentId } = await addAgent(server, owner);
  await agents().updateAgent({ agentId, clusterId: nodeId });
  const { profileId } = await addProfile(server, owner, { clusterId: nodeId });
  const refusal = async () => refused(topology().deleteTopologyNode({ nodeId }));

  const first = await refusal();
  t.is(first.code, Code.FailedPrecondition);
  t.regex(first.message, /hosts are still placed|profile still places/);
  await agents().updateAgent({ agentId, clusterId: "" });
  t.regex((await refusal()).message, /profile still places/);
  await server
    .client(EnrollmentProfileService, owner.token)
    .disableEnrollmentProfile({ profileId });
  await topology().deleteTopologyNode({ nodeId });
  t.like(await refused(topology().getTopologyNode({ nodeId })), { code: Code.NotFound });

  const site = await add(Kind.SITE, "holding");
  await add(Kind.GROUP, "held", site);
  t.regex(
    (await refused(topology().deleteTopologyNode({ nodeId: site }))).message,
    /other nodes are still in it/,
  );
});

test("revoked hosts keep no cluster from being deleted", async (t) => {
  const nodeId = await add(Kind.CLUSTER, "abandoned");
  const { agentId } = await addAgent(server, owner);
  await agents().updateAgent({ agentId, clusterId: nodeId });
  await agents().revokeAgent({ agentId });
  await t.notThrowsAsync(topology().deleteTopologyNode({ nodeId }));
});

test("hosts are placed in clusters only", async (t) => {
  const site = await add(Kind.SITE, "no place");
  const { agentId } = await addAgent(server, owner);
  t.like(await refused(agents().updateAgent({ agentId, clusterId: site })), {
    code: Code.InvalidArgument,
  });
  t.like(await refused(agents().updateAgent({ agentId, clusterId: "cls.aaaaaaaaaa" })), {
    code: Code.NotFound,
  });
});
