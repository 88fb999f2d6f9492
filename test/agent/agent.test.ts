import { writeFile } from "node:fs/promises";
import path from "node:path";
import test from "ava";
import { AgentService } from "../../gen/lumetry/v1/agent_service_pb.js";
import { EdgeStatus } from "../../gen/lumetry/v1/edge_pb.js";
import { MetricQueryService } from "../../gen/lumetry/v1/metric_query_service_pb.js";
import { TopologyNode_Kind, TopologyService } from "../../gen/lumetry/v1/topology_service_pb.js";
import { ZoneService } from "../../gen/lumetry/v1/zone_service_pb.js";
import { addProfile } from "../support/agent.ts";
import {
  type AgentInstallation,
  type AgentOptions,
  askAgentStatus,
  installAgent,
} from "../support/agent-installation.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { listeningSockets } from "../support/listening-sockets.ts";
import { RelayingCollector } from "../support/relaying-collector.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let owner: Owner;
/** In a zone of its own. */
let collector: RelayingCollector;
let behind = "";

test.before(async () => {
  server = await startTestServer({ heartbeatInterval: 1000 });
  owner = await setUp(server);
  const { zone } = await server
    .client(ZoneService, owner.token)
    .createZone({ displayName: "behind" });
  behind = zone?.zoneId ?? "";
  collector = await RelayingCollector.start(server, { ...owner, zoneId: behind });
});
test.after.always(async () => {
  await collector?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const statusLines = async (dataDir: string): Promise<Map<string, string>> => {
  const { output } = await askAgentStatus(dataDir);
  return new Map(
    output
      .trim()
      .split("\n")
      .map((line) => [line.slice(0, 15).trim(), line.slice(16)]),
  );
};

/** The labels of a series that the agent's host must have. */
async function seriesOf(installation: AgentInstallation): Promise<Record<string, string>> {
  const agentId = await installation.edgeId();
  return eventually("its host is measured", async () => {
    const { series } = await server
      .client(MetricQueryService, owner.token)
      .listLatestValues({ metric: "system.cpu.load_average.1m" });
    return series.find(({ labels }) => labels["lumetry.agent_id"] === agentId)?.labels;
  });
}

test("an agent enrolls by a profile, measures its host, is shown, and listens on no port", async (t) => {
  const { token } = await addProfile(server, owner, { labels: { team: "web" } });
  await using installation = await installAgent(server, owner, token);
  const agent = installation.start();
  await installation.connected(agent);
  const shown = await installation.shown();
  t.is(shown.status, EdgeStatus.ACTIVE);
  t.is(shown.zoneId, owner.zoneId);
  t.regex(shown.agentId, /^agt\./);
  t.is(shown.path?.collectorId ?? "", "");
  t.like(await seriesOf(installation), { team: "web" });
  t.deepEqual(await listeningSockets(agent.child.pid ?? 0), []);
  const lines = await statusLines(installation.dataDir);
  t.is(lines.get("state"), "connected");
  t.is(lines.get("server"), server.url);
  t.is(lines.get("agent"), shown.agentId);
  t.is(lines.get("placement"), "unassigned");
  t.is(lines.get("warnings"), "none");
  t.false(lines.has("relay"));
  t.is((await agent.stop()).code, 0);
  // Enrolled once, it needs no token.
  const again = installation.start({ token: undefined });
  await installation.connected(again);
  t.is((await installation.shown()).agentId, shown.agentId);
});

test("without a way to the server of its own it enrolls, reports and uploads through a collector, whose key it pins", async (t) => {
  await using installation = await installAgent(server, owner);
  const { url, fingerprint } = collector;
  const agent = installation.start({
    server: undefined,
    caFile: undefined,
    flags: [
      "--collector",
      url,
      "--collector-fingerprint",
      `sha256:${fingerprint}`,
      "--direct",
      "off",
    ],
  });
  await installation.connected(agent);
  const shown = await installation.shown();
  t.is(shown.path?.collectorId, collector.installation.collectorId);
  t.is(shown.zoneId, behind, "a host belongs to the zone of the collector that it came through");
  await seriesOf(installation);
  t.is((await statusLines(installation.dataDir)).get("collector"), url);
  const { agents } = await server
    .client(AgentService, owner.token)
    .listAgents({ collectorId: collector.installation.collectorId });
  t.true(agents.some(({ agentId }) => agentId === shown.agentId));
  t.deepEqual(await listeningSockets(agent.child.pid ?? 0), []);
});

test("a collector that shows another key than the pinned one is told nothing", async (t) => {
  await using installation = await installAgent(server, owner);
  const agent = installation.start({
    server: undefined,
    flags: ["--collector", collector.url, "--collector-fingerprint", "0".repeat(64)],
  });
  const status = await eventually("it says why", async () => {
    const now = await agent.status();
    return now?.problem !== undefined && now;
  });
  t.is(status.state, "enrolling");
  t.regex(status.problem ?? "", /shows the key sha256:[0-9a-f]{64}, which is not pinned/);
  t.is((await agent.stop()).code, 0);
  t.regex(agent.errors, /cannot enroll yet/);
  t.notRegex(agent.errors, /lmtae_\w/);
});

test("where its collector is not there, it enrolls straight away by the direct way, and its status says why", async (t) => {
  await using installation = await installAgent(server, owner);
  const nowhere = `https://127.0.0.1:${await findFreePort()}`;
  const agent = installation.start({ flags: ["--collector", nowhere] });
  await installation.connected(agent);
  t.is((await installation.shown()).path?.collectorId ?? "", "");
  const lines = await statusLines(installation.dataDir);
  t.regex(lines.get("collector") ?? "", /^https:\S+, failing for \d+ seconds?: .*ECONNREFUSED/);
  t.regex(lines.get("server") ?? "", /^https:\S+, in use for \d+ seconds?$/);
  t.regex(agent.errors, /route left/);
});

test("a collector over http: works as the documents write it, and is warned of", async (t) => {
  await using installation = await installAgent(server, owner);
  const url = collector.url.replace("https:", "http:");
  const agent = installation.start({ server: undefined, flags: [`--collector=${url}`] });
  await installation.connected(agent);
  t.regex(agent.errors, /the way to the collector is not encrypted/);
  t.deepEqual((await agent.status())?.warnings, ["CLEARTEXT_RELAY"]);
});

test("a host goes where it asks to be, or is told why not; it is enrolled either way", async (t) => {
  const { node } = await server
    .client(TopologyService, owner.token)
    .createTopologyNode({ kind: TopologyNode_Kind.CLUSTER, displayName: "ANVMBWEBWX" });
  const clusterId = node?.nodeId ?? "";
  for (const [flags, words] of [
    [["--cluster", "anvmbwebwx"], `cluster ANVMBWEBWX (${clusterId})`],
    [["--cluster-id", clusterId], `cluster ANVMBWEBWX (${clusterId})`],
    [["--cluster", "elsewhere"], 'unassigned: "elsewhere" is not there'],
  ] as const) {
    await using installation = await installAgent(server, owner);
    const agent = installation.start({ flags: [...flags] });
    await installation.connected(agent);
    t.is((await statusLines(installation.dataDir)).get("placement"), words);
    t.is((await installation.shown()).clusterId, words.startsWith("cluster") ? clusterId : "");
  }
});

test("settings that contradict each other end it with 2 and say what to write", async (t) => {
  await using installation = await installAgent(server, owner);
  const cases: [options: AgentOptions, words: RegExp][] = [
    [{ flags: ["--cluster", "a", "--cluster-id", "cls.a"] }, /--cluster and --cluster-id both say/],
    [{ server: undefined }, /--server \(LUMETRY_SERVER\) is missing; .*--collector/],
    [{ flags: ["--direct", "off"] }, /with --direct off, name a collector/],
    [{ flags: ["--direct", "maybe"] }, /is none of on, off/],
    [{ flags: ["--collector", "collector.internal"] }, /is not a URL that starts with https/],
    [{ flags: ["--collector-fingerprint", "sha256:12"] }, /is not a fingerprint; write "sha256:"/],
    [
      {
        flags: ["--collector", "http://c:4319", "--collector-fingerprint", "a".repeat(64)],
      },
      /cannot be checked without TLS: write https:\/\/c:4319/,
    ],
    [{ server: "http://lumetry.example.com" }, /is not encrypted.*--allow-cleartext true/],
  ];
  for (const [options, words] of cases) {
    const { code, errors } = await installation.start(options).ended;
    t.is(code, 2, errors);
    t.regex(errors, words);
  }
});

test("an agent that may not be ends with 78 and clear words: without a token, revoked, or on a collector's directory", async (t) => {
  await using installation = await installAgent(server, owner);
  const without = await installation.start({ token: undefined }).ended;
  t.is(without.code, 78);
  t.regex(without.errors, /give the token of an enrollment profile with --enrollment-token-file/);
  const agent = installation.start();
  await installation.connected(agent);
  await server
    .client(AgentService, owner.token)
    .revokeAgent({ agentId: await installation.edgeId() });
  const revoked = await agent.ended;
  t.is(revoked.code, 78);
  t.regex(revoked.errors, /revoked/);
  await using other = await installAgent(server, owner);
  await writeFile(
    path.join(other.dataDir, "identity.json"),
    JSON.stringify({ edgeId: "col.anvmbwebwx", credential: "lmtcc_…" }),
  );
  const { code, errors } = await other.start().ended;
  t.is(code, 78);
  t.regex(errors, /belongs to col\.anvmbwebwx, which is no agent/);
});
