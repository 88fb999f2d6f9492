/**
 * Every method as every kind of caller, and with another workspace's ids: generated from the
 * descriptors, so that a new method is tested the moment it is declared.
 */
import { type DescField, type DescMessage, type DescMethod, getOption } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import test from "ava";
import { access, Caller, Capability, Role } from "../../../gen/lumetry/access/v1/access_pb.js";
import { AccessTokenService } from "../../../gen/lumetry/v1/access_token_service_pb.js";
import { ChannelService } from "../../../gen/lumetry/v1/channel_service_pb.js";
import { ConfigurationService } from "../../../gen/lumetry/v1/configuration_service_pb.js";
import { IncidentService } from "../../../gen/lumetry/v1/incident_service_pb.js";
import { IngestionKeyService } from "../../../gen/lumetry/v1/ingestion_key_service_pb.js";
import { NotificationRouteService } from "../../../gen/lumetry/v1/notification_route_service_pb.js";
import { RuleService } from "../../../gen/lumetry/v1/rule_service_pb.js";
import { SilenceService } from "../../../gen/lumetry/v1/silence_service_pb.js";
import { TopologyNode_Kind, TopologyService } from "../../../gen/lumetry/v1/topology_service_pb.js";
import { addAgent } from "../../support/agent.ts";
import { openAlerts } from "../../support/alerts.ts";
import { addCollector } from "../../support/collector.ts";
import { listMethods } from "../../support/contract.ts";
import { aboveBound } from "../../support/rules.ts";
import {
  addPerson,
  addWorkspace,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../../support/server.ts";
import { addSource, addWorker, tcpCheck } from "../../support/worker.ts";

let server: TestServer;
let owner: Owner;
let other: Record<string, string>;
let otherAdmin: { token: string; workspaceId: string };

type Kind =
  | "nobody"
  | "viewer"
  | "operator"
  | "admin"
  | "owner"
  | "collector"
  | "granted collector"
  | "agent"
  | "ingestion key";
const ROLES: Partial<Record<Kind, Role>> = {
  viewer: Role.VIEWER,
  operator: Role.OPERATOR,
  admin: Role.ADMIN,
  owner: Role.OWNER,
};

/** A credential of a kind, made for one call, since some calls end the credential they are made with. */
async function credentialOf(kind: Kind): Promise<string | undefined> {
  switch (kind) {
    case "nobody":
      return undefined;
    case "collector":
      return (await addCollector(server, owner)).credential;
    case "granted collector":
      return (await addWorker(server, owner)).credential;
    case "agent":
      return (await addAgent(server, owner)).credential;
    case "ingestion key": {
      const keys = server.client(IngestionKeyService, owner.token);
      return (await keys.createIngestionKey({ displayName: "matrix" })).secret;
    }
    case "owner": {
      const tokens = server.client(AccessTokenService, owner.token);
      return (await tokens.createAccessToken({ displayName: "matrix" })).secret;
    }
    default: {
      const person = await addPerson(server, owner.token, ROLES[kind] ?? Role.VIEWER);
      return person.token;
    }
  }
}

function isAllowed(method: DescMethod, kind: Kind): boolean {
  const rule = getOption(method, access);
  if (rule.callers.includes(Caller.ANYONE)) return true;
  const role = ROLES[kind];
  if (role !== undefined) return rule.callers.includes(Caller.PERSON) && role >= rule.role;
  if (kind === "collector") {
    return rule.callers.includes(Caller.COLLECTOR) && rule.capability === Capability.UNSPECIFIED;
  }
  if (kind === "granted collector") return rule.callers.includes(Caller.COLLECTOR);
  if (kind === "agent") return rule.callers.includes(Caller.AGENT);
  if (kind === "ingestion key") return rule.callers.includes(Caller.INGESTION_KEY);
  return false;
}

/** Calls a method with an init of its request; the code that it ends with, "ok" if none. */
async function call(transport: Transport, method: DescMethod, request: object): Promise<string> {
  const client = createClient(method.parent, transport) as Record<
    string,
    (request: object) => Promise<unknown> | AsyncIterable<unknown>
  >;
  try {
    const answer = client[method.localName]?.(
      method.methodKind === "bidi_streaming" ? one(request) : request,
    );
    if (answer && Symbol.asyncIterator in answer) {
      for await (const _message of answer) break;
    } else await answer;
    return "ok";
  } catch (error) {
    return Code[ConnectError.from(error).code] ?? "";
  }
}

async function* one(request: object) {
  yield request;
}

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  otherAdmin = await addWorkspace(server, owner.token);
  const there = { ...otherAdmin, ...(await whereabouts(otherAdmin.token)) };
  const { collectorId } = await addCollector(server, there);
  await server
    .client(ConfigurationService, there.token)
    .publishConfiguration({ targetId: collectorId, document: "{}" });
  const { accessToken } = await server
    .client(AccessTokenService, there.token)
    .createAccessToken({ displayName: "theirs" });
  const { ingestionKey } = await server
    .client(IngestionKeyService, there.token)
    .createIngestionKey({ displayName: "theirs" });
  const person = await addPerson(server, there.token, Role.VIEWER);
  const { agentId, profileId } = await addAgent(server, there);
  const { node } = await server
    .client(TopologyService, there.token)
    .createTopologyNode({ kind: TopologyNode_Kind.CLUSTER, displayName: "theirs" });
  const nodeId = node?.nodeId ?? "";
  const { sourceId } = await addSource(server, there);
  const channels = server.client(ChannelService, there.token);
  const { channel } = await channels.createChannel({
    displayName: "theirs",
    url: "https://example.com/",
    zoneId: there.zoneId,
  });
  const channelId = channel?.channelId ?? "";
  await using alerts = openAlerts(server, otherAdmin.workspaceId);
  await alerts.fire({ name: "theirs" });
  const { incidents } = await server.client(IncidentService, there.token).listIncidents({});
  const { silence } = await server.client(SilenceService, there.token).createSilence({
    incidentId: incidents[0]?.incidentId ?? "",
    reason: "theirs",
    endTime: timestampFromMs(Date.now() + 3_600_000),
  });
  const { route } = await server
    .client(NotificationRouteService, there.token)
    .createNotificationRoute({ settings: { displayName: "theirs" } });
  const { rule } = await server
    .client(RuleService, there.token)
    .createRule({ settings: aboveBound("test.value") });
  const [alert] = await server.sql<{ alert_id: string }>(
    `insert into alerts (workspace_id, alert_id, origin, system_kind, group_key, severity, state,
       started_at)
     select workspace_id, 'alr.aaaaaaaaaa', 'system', 'test', '', 'info', 'pending', now()
     from channels where channel_id = $1 returning alert_id`,
    [channelId],
  );
  const [sent] = await server.sql<{ delivery_id: string }>(
    `insert into deliveries (workspace_id, delivery_id, channel_id, event_type, body)
     select workspace_id, 'dlv.aaaaaaaaaa', channel_id, 'channel.test', '{}' from channels
     where channel_id = $1 returning delivery_id`,
    [channelId],
  );
  other = {
    source_id: sourceId,
    channel_id: channelId,
    rule_id: rule?.ruleId ?? "",
    alert_id: alert?.alert_id ?? "",
    delivery_id: sent?.delivery_id ?? "",
    incident_id: incidents[0]?.incidentId ?? "",
    silence_id: silence?.silenceId ?? "",
    route_id: route?.routeId ?? "",
    collector_id: collectorId,
    agent_id: agentId,
    profile_id: profileId,
    node_id: nodeId,
    parent_id: nodeId,
    cluster_id: nodeId,
    target_id: collectorId,
    zone_id: there.zoneId,
    user_id: person.userId,
    access_token_id: accessToken?.accessTokenId ?? "",
    ingestion_key_id: ingestionKey?.ingestionKeyId ?? "",
  };
});
test.after.always(() => server?.[Symbol.asyncDispose]());

async function whereabouts(token: string): Promise<{ zoneId: string }> {
  const [row] = await server.sql<{ zone_id: string }>(
    "select zone_id from zones join workspaces using (workspace_id) where workspaces.display_name = 'Globex'",
  );
  return { zoneId: row?.zone_id ?? token };
}

const KINDS: Kind[] = [
  "nobody",
  "viewer",
  "operator",
  "admin",
  "owner",
  "collector",
  "granted collector",
  "agent",
  "ingestion key",
];

for (const kind of KINDS) {
  test(`${kind}: may call what the contract says, and nothing else`, async (t) => {
    for (const method of listMethods()) {
      const token = await credentialOf(kind);
      const transport = server.transport(token === undefined ? {} : { token });
      const code = await call(transport, method, {});
      const name = `${method.parent.name}/${method.name}`;
      const isRefused = code === "PermissionDenied" || code === "Unauthenticated";
      if (isAllowed(method, kind)) {
        const opensWithSecret = getOption(method, access).callers.includes(Caller.ANYONE);
        t.true(opensWithSecret || !isRefused, `${kind} should be let in to ${name}, got ${code}`);
      } else {
        const expected = kind === "nobody" ? "Unauthenticated" : "PermissionDenied";
        t.is(code, expected, `${kind} on ${name}`);
      }
      t.not(code, "Internal", `${kind} on ${name}`);
    }
  });
}

/** A valid value for a field that a request cannot do without. */
function sample(field: DescField): unknown {
  if (field.message?.typeName === "lumetry.v1.RuleSettings") return aboveBound("test.value");
  if (field.name === "document") return "{}";
  if (field.name === "comment" || field.name === "reason") return "sample";
  if (field.name === "end_time") return timestampFromMs(Date.now() + 3_600_000);
  if (field.name === "revision") return 1n;
  if (field.name.endsWith("_name")) return "sample";
  if (field.name === "email") return "sample@example.com";
  if (field.name === "role") return Role.VIEWER;
  if (field.name === "kind") return TopologyNode_Kind.CLUSTER;
  if (field.name === "url") return "https://example.com/";
  if (field.message?.name === "NotificationRouteSettings") return { displayName: "sample" };
  if (field.name === "settings") return tcpCheck("10.0.0.1", 80);
  return undefined;
}

function requestWithTheirIds(message: DescMessage): object | undefined {
  const theirs = message.fields.filter((field) => other[field.name] !== undefined);
  if (theirs.length === 0) return undefined;
  const values = message.fields.map((field) => {
    const value = other[field.name] ?? sample(field);
    // A member of a oneof is told by the name of the oneof.
    return field.oneof && value !== undefined && field.proto.proto3Optional !== true
      ? [field.oneof.localName, { case: field.localName, value }]
      : [field.localName, value];
  });
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

const FILTERS = new Set([
  "CollectorService/ListCollectors",
  "AgentService/ListAgents",
  "TopologyService/ListTopologyNodes",
  "AuditService/ListAuditEvents",
  "SourceService/ListSources",
  "ChannelService/ListDeliveries",
  "NotificationRouteService/MatchNotificationRoutes",
  "AlertService/ListAlerts",
  "WorkQueryService/ListWorkItems",
  "WorkQueryService/ListWorkers",
]);

test("another workspace's ids answer not found, everywhere", async (t) => {
  const transport = server.transport({ token: owner.token });
  let asked = 0;
  for (const method of listMethods()) {
    if (!getOption(method, access).callers.includes(Caller.PERSON)) continue;
    const request = requestWithTheirIds(method.input);
    if (!request) continue;
    const name = `${method.parent.name}/${method.name}`;
    // A filter of a list finds nothing; it names nothing that must exist.
    const isFilter = FILTERS.has(name);
    t.is(await call(transport, method, request), isFilter ? "ok" : "NotFound", name);
    asked += 1;
  }
  t.true(asked >= 50, `only ${asked} methods take an id`);
});

test("what the other workspace has is as it was", async (t) => {
  const rows = await server.sql(
    "select status from edges where edge_id in ($1, $2) and status = 'active'",
    [other.collector_id, other.agent_id],
  );
  t.is(rows.length, 2);
});
