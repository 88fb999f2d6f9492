import { Code, ConnectError } from "@connectrpc/connect";
import test from "ava";
import { Role } from "../../../gen/lumetry/access/v1/access_pb.js";
import { AuditService } from "../../../gen/lumetry/v1/audit_service_pb.js";
import {
  IncidentEvent_Kind as Kind,
  Incident_State as State,
} from "../../../gen/lumetry/v1/incident_pb.js";
import { IncidentService } from "../../../gen/lumetry/v1/incident_service_pb.js";
import { Severity } from "../../../gen/lumetry/v1/severity_pb.js";
import { type Alerts, openAlerts } from "../../support/alerts.ts";
import {
  addPerson,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../../support/server.ts";

let server: TestServer;
let owner: Owner;
let alerts: Alerts;
test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  alerts = openAlerts(server, owner.workspaceId);
});
test.after.always(async () => {
  await alerts?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const incidents = () => server.client(IncidentService, owner.token);

/** The incident that holds an alert, by a word of the alert's. */
async function incidentOf(word: string) {
  const rows = await server.sql<{ incident_id: string }>(
    "select incident_id from incident_alerts join alerts using (workspace_id, alert_id) where group_key = $1 order by joined_at desc",
    [word],
  );
  const found = await incidents().getIncident({ incidentId: rows[0]?.incident_id ?? "" });
  if (!found.incident) throw new Error(`no incident holds ${word}`);
  return { ...found, incident: found.incident };
}

const kinds = (events: { kind: Kind }[]) => events.map(({ kind }) => Kind[kind]).reverse();

test("an alert opens an incident, which ends with it, and its timeline says so", async (t) => {
  await alerts.fire({ name: "disk-1", severity: "critical", labels: { host: "disk-host" } });
  const { incident, alerts: inside, events } = await incidentOf("disk-1");
  t.is(incident.title, "disk-1 is wrong");
  t.is(incident.state, State.OPEN);
  t.is(incident.severity, Severity.CRITICAL);
  t.deepEqual([incident.alertCount, incident.firingCount], [1, 1]);
  t.is(inside[0]?.labels.host, "disk-host");
  t.is(inside[0]?.gatherReason, "It opened this incident.");
  t.deepEqual(kinds(events), ["OPENED", "ALERT_FIRED"]);

  await alerts.resolve("disk-1");
  const ended = await incidentOf("disk-1");
  t.is(ended.incident.state, State.RESOLVED);
  t.is(ended.incident.resolvedBy, "");
  t.is(ended.incident.firingCount, 0);
  t.deepEqual(kinds(ended.events), ["OPENED", "ALERT_FIRED", "ALERT_RESOLVED", "RESOLVED"]);
});

test("a title ends between two characters, and half a character keeps no alert from its incident", async (t) => {
  const start = "x".repeat(299);
  await alerts.fire({ name: "long", summary: `${start}🔥 burns` });
  const { incident, events } = await incidentOf("long");
  t.is(incident.title, start);
  t.is(events.at(-1)?.message, start);
  await alerts.fire({ name: "half", summary: "🔥".slice(0, 1), labels: { host: "a\0b" } });
  t.is((await incidentOf("half")).alerts[0]?.summary, "\uFFFD");
});

test("related alerts are gathered, each with the reason, and unrelated ones are not", async (t) => {
  await alerts.fire({ name: "cpu", labels: { host: "web-1", cluster: "shop" } });
  await alerts.fire(
    { name: "memory", labels: { host: "web-1" }, severity: "critical" },
    { name: "latency", labels: { host: "web-2", cluster: "shop" } },
    { name: "elsewhere", labels: { host: "mail-1", cluster: "office" } },
  );
  const { incident, alerts: inside } = await incidentOf("cpu");
  t.deepEqual(
    Object.fromEntries(inside.map(({ summary, gatherReason }) => [summary, gatherReason])),
    {
      "cpu is wrong": "It opened this incident.",
      "memory is wrong": "It is about the same host, web-1.",
      "latency is wrong": "It is about the same cluster, shop.",
    },
  );
  t.is(incident.severity, Severity.CRITICAL);
  t.not((await incidentOf("elsewhere")).incident.incidentId, incident.incidentId);

  await alerts.resolve("cpu", "memory");
  t.is((await incidentOf("cpu")).incident.state, State.OPEN);
  await alerts.resolve("latency");
  t.is((await incidentOf("cpu")).incident.state, State.RESOLVED);
});

test("what has nothing to do with a host is gathered by its kind, for a while", async (t) => {
  await alerts.fire({ name: "skew-a", kind: "skew", labels: { collector: "a" } });
  await alerts.fire({ name: "skew-b", kind: "skew", labels: { collector: "b" } });
  const first = await incidentOf("skew-a");
  t.is((await incidentOf("skew-b")).incident.incidentId, first.incident.incidentId);
  await server.sql(
    "update incidents set joined_at = joined_at - interval '11 minutes' where incident_id = $1",
    [first.incident.incidentId],
  );
  await alerts.fire({ name: "skew-c", kind: "skew", labels: { collector: "c" } });
  t.not((await incidentOf("skew-c")).incident.incidentId, first.incident.incidentId);
});

test("an alert that comes back soon opens its incident again; later, another one", async (t) => {
  await alerts.fire({ name: "flap" });
  const { incident } = await incidentOf("flap");
  await alerts.resolve("flap");
  await alerts.fire({ name: "flap" });
  const again = await incidentOf("flap");
  t.is(again.incident.incidentId, incident.incidentId);
  t.is(again.incident.state, State.OPEN);
  t.is(again.incident.reopenings, 1);
  t.true(kinds(again.events).includes("REOPENED"));

  await alerts.resolve("flap");
  await server.sql(
    "update incidents set resolved_at = resolved_at - interval '11 minutes' where incident_id = $1",
    [incident.incidentId],
  );
  await alerts.fire({ name: "flap" });
  t.not((await incidentOf("flap")).incident.incidentId, incident.incidentId);
});

test("what is said twice changes nothing", async (t) => {
  await alerts.fire({ name: "twice" });
  await alerts.fire({ name: "twice" });
  await alerts.resolve("twice");
  await alerts.resolve("twice");
  const { events } = await incidentOf("twice");
  t.deepEqual(kinds(events), ["OPENED", "ALERT_FIRED", "ALERT_RESOLVED", "RESOLVED"]);
});

test("an incident is acknowledged, assigned, commented and resolved, and the audit log has it all", async (t) => {
  await alerts.fire({ name: "handled" });
  const { incident } = await incidentOf("handled");
  const { incidentId } = incident;
  const operator = await addPerson(server, owner.token, Role.OPERATOR);
  const theirs = server.client(IncidentService, operator.token);

  const { incident: taken } = await theirs.acknowledgeIncident({ incidentId, comment: "on it" });
  t.is(taken?.state, State.ACKNOWLEDGED);
  t.is(taken?.acknowledgedBy, operator.userId);
  t.is(taken?.assigneeId, operator.userId);
  const { incident: given } = await incidents().assignIncident({
    incidentId,
    userId: owner.userId,
  });
  t.is(given?.assigneeName, "Olivia Owner");
  const { event } = await theirs.commentIncident({ incidentId, comment: "a cable was loose" });
  t.is(event?.message, "a cable was loose");
  const { incident: over } = await theirs.resolveIncident({ incidentId, comment: "plugged in" });
  t.is(over?.state, State.RESOLVED);
  t.is(over?.resolvedBy, operator.userId);
  t.is(over?.firingCount, 1);

  for (const refused of [
    theirs.resolveIncident({ incidentId }),
    theirs.acknowledgeIncident({ incidentId }),
  ]) {
    const error = await t.throwsAsync(refused, { instanceOf: ConnectError });
    t.is(error?.code, Code.FailedPrecondition);
  }
  const nobody = await t.throwsAsync(
    incidents().assignIncident({ incidentId, userId: "usr.aaaaaaaaaa" }),
    { instanceOf: ConnectError },
  );
  t.is(nobody?.code, Code.NotFound);

  const { events } = await incidents().listIncidentEvents({ incidentId });
  t.deepEqual(
    events
      .filter(({ actorId }) => actorId !== "")
      .map(({ kind, message }) => [Kind[kind], message])
      .reverse(),
    [
      ["ACKNOWLEDGED", "on it"],
      ["ASSIGNED", "To Olivia Owner."],
      ["COMMENTED", "a cable was loose"],
      ["RESOLVED", "plugged in"],
    ],
  );
  const { auditEvents } = await server
    .client(AuditService, owner.token)
    .listAuditEvents({ targetId: incidentId });
  t.deepEqual(auditEvents.map(({ action }) => action).reverse(), [
    "incident.opened",
    "incident.acknowledged",
    "incident.assigned",
    "incident.commented",
    "incident.resolved",
  ]);

  // Its alert ends only now: nothing is left to resolve.
  await alerts.resolve("handled");
  t.is((await incidentOf("handled")).incident.resolvedBy, operator.userId);
});

test("incidents are listed newest first, by state, severity, assignee and title", async (t) => {
  await alerts.fire({ name: "findable-1", severity: "info" });
  await alerts.fire({ name: "findable-2", severity: "critical" });
  const { incidentId } = (await incidentOf("findable-2")).incident;
  await incidents().acknowledgeIncident({ incidentId });
  const titles = async (request: Parameters<ReturnType<typeof incidents>["listIncidents"]>[0]) =>
    (await incidents().listIncidents({ search: "FINDABLE", ...request })).incidents.map(
      ({ title }) => title,
    );
  t.deepEqual(await titles({}), ["findable-2 is wrong", "findable-1 is wrong"]);
  t.deepEqual(await titles({ states: [State.ACKNOWLEDGED] }), ["findable-2 is wrong"]);
  t.deepEqual(await titles({ severities: [Severity.INFO] }), ["findable-1 is wrong"]);
  t.deepEqual(await titles({ assigneeId: owner.userId }), ["findable-2 is wrong"]);
  const first = await incidents().listIncidents({ search: "findable", pageSize: 1 });
  t.is(first.incidents.length, 1);
  t.deepEqual(await titles({ pageSize: 1, pageToken: first.nextPageToken }), [
    "findable-1 is wrong",
  ]);
});
