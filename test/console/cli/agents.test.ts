import test from "ava";
import { QueueHealth_Drop_Reason } from "../../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { MetricsService } from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import {
  GetAgentResponseSchema,
  ListAgentDropsResponseSchema,
  ListAgentsResponseSchema,
} from "../../../gen/lumetry/v1/agent_service_pb.js";
import {
  CreateEnrollmentProfileResponseSchema,
  ListEnrollmentProfilesResponseSchema,
} from "../../../gen/lumetry/v1/enrollment_profile_service_pb.js";
import { ListTopologyNodesResponseSchema } from "../../../gen/lumetry/v1/topology_service_pb.js";
import { enrollAgent } from "../../support/agent.ts";
import { as, openShell, type Shell } from "../../support/cli.ts";
import { addCollector, edgeCalls, makeProcess } from "../../support/collector.ts";
import { seriesOf } from "../../support/points.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let owner: Owner;
let shell: Shell;

test.before(async () => {
  server = await startTestServer({
    publicUrl: "https://lumetry.example.com",
    installerUrlLinux: "https://downloads.example.com/agent/install.sh",
    installerUrlWindows: "https://downloads.example.com/agent/install.ps1",
  });
  owner = await setUp(server);
  shell = await openShell();
});

test.after.always(async () => {
  await shell?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const asOwner = () => ({ environment: as(server, owner.token) });
const type = (...args: string[]) => shell.lumetry(args, asOwner());
const makeProfile = (name: string) => type("profiles", "create", name, "--zone", "default");
const tokenIn = (text: string) => /lmtae_\w+/.exec(text)?.[0] ?? "";

/** A host whose agent has reported once. */
async function addHost(token: string, hostname: string, cluster?: string, relay?: string) {
  const placement = cluster
    ? { case: "clusterName" as const, value: cluster }
    : { case: undefined };
  const answer = await enrollAgent(server, token, { host: { hostname }, placement }, relay);
  await edgeCalls(server, answer.credential, relay).config.getConfig({});
  return answer;
}

test("a profile comes with its token, its limits, and the commands for each system", async (t) => {
  const { stdout, stderr } = await type(
    ...[
      "profiles",
      "create",
      "web servers",
      "--zone",
      "default",
      "--max-uses",
      "40",
      "--lifetime",
      "2h",
      "-l",
      "team=web",
    ],
  );
  t.regex(stdout, /The enrollment profile "web servers" was created: epr\.\w+/, stderr);
  t.regex(
    stdout,
    /works for 40 hosts, until it ends at \S+ \S+, in (119 minutes|1 hour|2 hours)\./,
  );
  t.regex(stdout, /\n {2}curl -fsSL \\\n {4}https:\S+install\.sh \|\n {4}sudo bash -s -- \\\n/);
  t.regex(stdout, /-BackendUrl "https:\/\/lumetry\.example\.com" `\n/);
  t.regex(stdout, /\n {2}lumetry agent \\\n {4}--server https:\/\/lumetry\.example\.com/);
  await addHost(tokenIn(stdout), "counted");

  const listed = await type("profiles", "list");
  t.regex(
    listed.stdout,
    /web servers +epr\.\w+ +active +39\/40 +ends in .* +team=web/,
    listed.stderr,
  );
  const searched = await type("profiles", "list", "--search", "B SERV");
  t.regex(searched.stdout, /web servers/, searched.stderr);
  t.notRegex((await type("profiles", "list", "--search", "web%servers")).stdout, /web servers/);
  const shown = await type("profiles", "show", "WEB servers");
  t.regex(shown.stdout, /enrolls +39 more hosts \(of 40\)/, shown.stderr);
  const again = await type("profiles", "commands", "web servers");
  t.regex(again.stdout, /--enroll-token lmtae_\.\.\./, again.stderr);
  t.is((await type("profiles", "disable", "web servers")).code, 0);
  const { profiles } = await shell.ask(
    ListEnrollmentProfilesResponseSchema,
    ["profiles", "list"],
    asOwner(),
  );
  t.truthy(profiles.find(({ displayName }) => displayName === "web servers")?.disableTime);
});

test("collector-first commands name the collector and the key that 'collectors show' tells", async (t) => {
  const { credential } = await addCollector(server, owner, "edge-lyon-1");
  const relay = {
    url: "https://collector.internal:4319",
    publicKeySha256: new Uint8Array(32).fill(11),
  };
  await makeProcess(server, credential).beat({ relay });
  const fingerprint = `sha256:${"0b".repeat(32)}`;
  const shown = await type("collectors", "show", "edge-lyon-1");
  t.true(shown.stdout.includes(fingerprint), shown.stderr);
  await type("clusters", "create", "ANVMBWEBWX");
  const { commands } = await shell.ask(
    CreateEnrollmentProfileResponseSchema,
    [
      "profiles",
      "create",
      "lyon",
      "--zone",
      "default",
      "--collector",
      "edge-lyon-1",
      "--cluster",
      "anvmbwebwx",
    ],
    asOwner(),
  );
  t.regex(commands?.linux ?? "", /--collector https:\/\/collector\.internal:4319/);
  t.true(commands?.linux.includes(`--collector-fingerprint ${fingerprint}`));
  t.regex(commands?.linux ?? "", /--cluster_id=cls\.\w+$/);
});

test("hosts are listed with status, age, path, cluster, queue and what needs attention, and found", async (t) => {
  const { stdout } = await makeProfile("listed");
  const token = tokenIn(stdout);
  await type("clusters", "create", "the cluster");
  const collector = await addCollector(server, owner, "edge-2");
  const { agentId, credential } = await addHost(
    token,
    "busy-1",
    "THE CLUSTER",
    collector.credential,
  );
  await makeProcess(server, credential, "busy-1").beat({
    queue: {
      queueId: "q",
      queuedPoints: 12_345n,
      droppedPoints: 7n,
      drops: [{ dropId: 1n, points: 7n, reason: QueueHealth_Drop_Reason.LIMIT }],
    },
  });
  await edgeCalls(server, credential, collector.credential).config.getConfig({});
  await addHost(token, "lost-1", "no such cluster");

  const listed = await type("agents", "list", "--profile", "listed");
  t.regex(listed.stdout, /^NAME +ID +STATUS +LAST SEEN +PATH +CLUSTER +ZONE +VERSION +QUEUED/);
  t.regex(
    listed.stdout,
    /busy-1 +agt\.\w+ +active +\w+ [\w ]+ +edge-2 +the cluster +default +0\.0\.1 +12,345 +7/,
    listed.stderr,
  );
  t.regex(listed.stdout, /\n! lost-1: It asked for the cluster "no such cluster"/);
  const ids = async (...flags: string[]) => {
    const answer = await shell.ask(
      ListAgentsResponseSchema,
      ["agents", "list", ...flags],
      asOwner(),
    );
    return answer.agents.map((agent) => agent.agentId);
  };
  t.deepEqual(await ids("--through", "edge-2"), [agentId]);
  t.deepEqual(await ids("--cluster", "the cluster"), [agentId]);
  t.deepEqual(await ids("--search", "BUSY"), [agentId]);
  t.regex((await type("agents", "list", "--search", "nothing")).stdout, /No host is like that/);
  t.regex((await type("collectors", "list")).stdout, /edge-2 .* 1\n/);

  const shown = await type("agents", "show", "BUSY-1");
  t.regex(shown.stdout, /path +through edge-2 col\.\w+, since/, shown.stderr);
  t.regex(shown.stdout, /asked for +THE CLUSTER \(placed\)/);
  t.regex(shown.stdout, /queue +12,345 points/);
  const heard = await type("agents", "heartbeats", "busy-1");
  t.regex(heard.stdout, /^FROM +TO +AGE +FOR +HEARTBEATS +SILENT BEFORE\n/, heard.stderr);
  const { drops } = await shell.ask(
    ListAgentDropsResponseSchema,
    ["agents", "drops", "busy-1"],
    asOwner(),
  );
  t.is(drops[0]?.points, 7n);
});

test("a host is renamed, moved, rotated and revoked", async (t) => {
  const token = tokenIn((await makeProfile("moved")).stdout);
  await addHost(token, "plain-1");
  t.regex((await type("agents", "rename", "plain-1", "fancy-1")).stdout, /now named "fancy-1"/);
  await type("clusters", "create", "there");
  t.regex(
    (await type("agents", "move", "fancy-1", "--cluster", "there")).stdout,
    /the cluster there now/,
  );
  t.regex((await type("agents", "move", "fancy-1", "--no-cluster")).stdout, /in no cluster now/);
  t.regex(
    (await type("agents", "move", "fancy-1", "--zone", "default")).stdout,
    /in the zone default/,
  );
  const nowhere = await type("agents", "move", "fancy-1");
  t.is(nowhere.code, 2);
  t.regex(nowhere.stderr, /Say where to/);
  t.is((await type("agents", "rotate", "fancy-1")).code, 0);
  const { agent } = await shell.ask(
    GetAgentResponseSchema,
    ["agents", "show", "fancy-1"],
    asOwner(),
  );
  t.true(agent?.rotationRequested);
  const unasked = await type("agents", "revoke", "fancy-1");
  t.is(unasked.code, 2);
  t.regex(unasked.stderr, /--yes/);
  t.regex((await type("agents", "revoke", "fancy-1", "--yes")).stdout, /is revoked/);
  const missing = await type("agents", "show", "fancy-2");
  t.regex(missing.stderr, /There is no agent named "fancy-2"/);
});

test("the map: sites hold groups, groups hold clusters, and what is in use stays", async (t) => {
  t.is((await type("sites", "create", "Lyon")).code, 0);
  t.is((await type("groups", "create", "front", "--in", "Lyon")).code, 0);
  t.is((await type("clusters", "create", "front-a", "--in", "front")).code, 0);
  t.regex((await type("clusters", "list")).stdout, /front-a +cls\.\w+ +0 +front/);
  t.regex((await type("clusters", "move", "front-a", "Lyon")).stdout, /front-a is in Lyon now/);
  t.regex((await type("clusters", "rename", "front-a", "front-b")).stdout, /now named "front-b"/);
  const held = await type("sites", "delete", "Lyon");
  t.not(held.code, 0);
  t.regex(held.stderr, /[Oo]ther nodes are still in it/);
  t.is((await type("clusters", "delete", "front-b")).code, 0);
  const { nodes } = await shell.ask(ListTopologyNodesResponseSchema, ["groups", "list"], asOwner());
  t.is(nodes.length, 1);
});

test("configuration is published for a profile and for one host, and taken back", async (t) => {
  const token = tokenIn((await makeProfile("configured")).stdout);
  const { credential } = await addHost(token, "configured-1");
  const document = '{"hostMetrics": {"intervalSeconds": 30}}';
  const publish = (target: string, input: string) =>
    shell.lumetry(["config", "publish", target, "-"], { ...asOwner(), input });
  t.regex((await publish("configured", document)).stdout, /the agents of configured .* fetch it/);
  const { config } = edgeCalls(server, credential);
  await config.getConfig({});
  t.regex((await type("agents", "show", "configured-1")).stdout, /revision 1 of its profile's/);
  t.regex((await publish("configured-1", "{}")).stdout, /Published as revision 2/);
  t.regex(
    (await type("config", "withdraw", "configured-1")).stdout,
    /follows its enrollment profile/,
  );
  t.regex((await type("config", "history", "configured-1")).stdout, /\n +3 /);
});

test("a zone's relays are kept from cleartext", async (t) => {
  await type("zones", "create", "strict", "--cleartext-relay", "off");
  t.regex((await type("zones", "show", "strict")).stdout, /cleartext relay +off/);
  t.regex(
    (await type("zones", "update", "strict", "--cleartext-relay", "on")).stdout,
    /cleartext relay +on/,
  );
  const wrong = await type("zones", "update", "strict", "--cleartext-relay", "maybe");
  t.is(wrong.code, 2);
  t.regex(wrong.stderr, /Write on or off/);
});

test("the series of one agent are shown by its name", async (t) => {
  const token = tokenIn((await makeProfile("measured")).stdout);
  for (const [hostname, value] of [
    ["left-1", 1],
    ["right-1", 2],
  ] as const) {
    const { credential } = await addHost(token, hostname);
    await server
      .client(MetricsService, credential)
      .writeMetrics({ series: [seriesOf("rack.load", {}, [Date.now(), value])] });
  }
  const { stdout } = await type("metrics", "latest", "rack.load", "--agent", "right-1");
  t.regex(stdout, /right-1/);
  t.notRegex(stdout, /left-1/);
  const unknown = await type("metrics", "query", "rack.load", "--agent", "nowhere");
  t.not(unknown.code, 0);
  t.regex(unknown.stderr, /nowhere/);
});
