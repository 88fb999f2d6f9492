import { hash } from "node:crypto";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import test from "ava";
import {
  Channel_Kind as ChannelKind,
  ChannelService,
} from "../../../gen/lumetry/v1/channel_service_pb.js";
import { IncidentEvent_Kind as Kind } from "../../../gen/lumetry/v1/incident_pb.js";
import { IncidentService } from "../../../gen/lumetry/v1/incident_service_pb.js";
import { LabelMatcher_Operation as Operation } from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import {
  NotificationRouteSettings_Grouping as Grouping,
  NotificationRouteService,
} from "../../../gen/lumetry/v1/notification_route_service_pb.js";
import { Severity } from "../../../gen/lumetry/v1/severity_pb.js";
import {
  SilenceService,
  Silence_Status as Status,
} from "../../../gen/lumetry/v1/silence_service_pb.js";
import { type Alerts, openAlerts } from "../../support/alerts.ts";
import { eventually } from "../../support/eventually.ts";
import { type Receiver, startReceiver } from "../../support/receiver.ts";
import { addWorkspace, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let ownerToken: string;
test.before(async () => {
  server = await startTestServer({
    egressAllow: ["127.0.0.0/8"],
    publicUrl: "https://lumetry.example.com/",
  });
  ownerToken = (await setUp(server)).token;
});
test.after.always(() => server?.[Symbol.asyncDispose]());

interface Scene extends AsyncDisposable {
  token: string;
  alerts: Alerts;
  receiver: Receiver;
  channelId: string;
  /** What was told so far: types with the alerts that each speaks of. */
  told(): string[];
  /** Waits until so much was told. */
  hear(count: number): Promise<string[]>;
  /** Lets so much time pass for what waits to be told. */
  pass(ms: number): Promise<void>;
}

interface Told {
  type: string;
  data: {
    title: string;
    url: string;
    severity: string;
    alerts: { summary: string; status: string; isNew: boolean }[];
    group: { transition: number; labels: Record<string, string> };
  };
}

/** A workspace of its own with a channel that hears everything. */
async function open(kind = ChannelKind.WEBHOOK): Promise<Scene> {
  await using started = new AsyncDisposableStack();
  const { token, workspaceId } = await addWorkspace(server, ownerToken);
  const receiver = started.use(await startReceiver());
  const alerts = started.use(openAlerts(server, workspaceId));
  const { channel } = await server
    .client(ChannelService, token)
    .createChannel({ displayName: "ops", url: receiver.url, kind });
  const told = () =>
    receiver.received.map(({ body }) => {
      const { type, data } = JSON.parse(body) as Told;
      const each = data.alerts.map(({ summary, status, isNew }) => {
        const name = summary.replace(" is wrong", "");
        return `${isNew ? "+" : ""}${status === "resolved" ? "-" : ""}${name}`;
      });
      return `${type.replace("alerts.", "")} ${each.sort().join(" ")}`;
    });
  const stack = started.move();
  return {
    token,
    alerts,
    receiver,
    channelId: channel?.channelId ?? "",
    told,
    hear: (count) =>
      eventually(`${count} are told`, () => receiver.received.length >= count && told()),
    pass: async (ms) => {
      await server.sql(
        `update notification_groups set not_before = not_before - $2 * interval '1 ms',
           told_at = told_at - $2 * interval '1 ms', due_at = due_at - $2 * interval '1 ms'
         where workspace_id = $1`,
        [workspaceId, ms],
      );
      await server.sql(
        `update silences set starts_at = starts_at - $2 * interval '1 ms',
           ends_at = ends_at - $2 * interval '1 ms' where workspace_id = $1`,
        [workspaceId, ms],
      );
      await server.sql("select pg_notify('lumetry_work', 'notify')");
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const routesOf = ({ token }: Scene) => server.client(NotificationRouteService, token);
const silencesOf = ({ token }: Scene) => server.client(SilenceService, token);
const incidentsOf = ({ token }: Scene) => server.client(IncidentService, token);

async function addRoute(scene: Scene, settings: object = {}, position = 0) {
  const { route } = await routesOf(scene).createNotificationRoute({
    settings: { displayName: `route ${Math.random()}`, channelIds: [scene.channelId], ...settings },
    position,
  });
  return route?.routeId ?? "";
}

const MINUTE = 60_000;

test("without routes, an incident is told at once on every channel, then its end, once each", async (t) => {
  await using scene = await open();
  const { alerts } = scene;
  await alerts.fire(
    { name: "cpu", labels: { host: "web" }, severity: "critical" },
    { name: "memory", labels: { host: "web" } },
  );
  await scene.hear(1);
  await alerts.resolve("cpu");
  await alerts.resolve("memory");
  t.deepEqual(await scene.hear(2), ["firing +cpu +memory", "resolved -cpu -memory"]);
  const [first] = scene.receiver.received.map(({ body }) => JSON.parse(body) as Told);
  t.is(first?.data.title, "#1 cpu is wrong");
  t.is(first?.data.severity, "critical");
  t.regex(first?.data.url ?? "", /^https:\/\/lumetry\.example\.com\/incidents\/inc\.[a-z]{10}$/);
  const { incidents } = await incidentsOf(scene).listIncidents({});
  const { events } = await incidentsOf(scene).getIncident({
    incidentId: incidents[0]?.incidentId ?? "",
  });
  const notified = events.filter(({ kind }) => kind === Kind.NOTIFIED);
  t.deepEqual(notified.map(({ message }) => message).reverse(), [
    'Told on the channel "ops", by the route "default".',
    'Told that it is over on the channel "ops", by the route "default".',
  ]);
  const { delivery } = await server
    .client(ChannelService, scene.token)
    .getDelivery({ deliveryId: notified[0]?.deliveryId ?? "" });
  t.is(delivery?.eventType, "alerts.resolved");
});

test("more alerts of an incident are told after the interval, worse ones at once", async (t) => {
  await using scene = await open();
  const { alerts } = scene;
  const labels = { host: "web" };
  await alerts.fire({ name: "a", labels });
  await scene.hear(1);
  await alerts.fire({ name: "b", labels });
  await alerts.fire({ name: "c", labels, severity: "critical" });
  await scene.hear(2);
  await alerts.fire({ name: "d", labels });
  await alerts.resolve("a");
  await scene.pass(5 * MINUTE);
  t.deepEqual(await scene.hear(3), ["firing +a", "changed +b +c a", "changed +d -a b c"]);
});

test("what comes and goes is not told each time", async (t) => {
  await using scene = await open();
  const { alerts } = scene;
  await alerts.fire({ name: "flap" });
  await alerts.resolve("flap");
  await scene.hear(2);
  for (let round = 0; round < 5; round += 1) {
    await alerts.fire({ name: "flap" });
    await alerts.resolve("flap");
  }
  await alerts.fire({ name: "flap" });
  await scene.pass(5 * MINUTE);
  t.deepEqual(await scene.hear(3), ["firing +flap", "resolved -flap", "firing +flap"]);
  // But what is worse than what was told does not wait.
  await alerts.resolve("flap");
  await scene.hear(4);
  await alerts.fire({ name: "flap", severity: "critical" });
  t.is((await scene.hear(5)).at(-1), "firing +flap");
});

test("a group waits for more alerts if its route says so", async (t) => {
  await using scene = await open();
  await addRoute(scene, { groupWait: durationFromMs(30_000), grouping: Grouping.LABELS });
  const { alerts } = scene;
  await alerts.fire({ name: "a" });
  await alerts.fire({ name: "b" });
  await alerts.fire({ name: "gone" });
  await alerts.resolve("gone");
  t.deepEqual(scene.told(), []);
  await scene.pass(30_000);
  t.deepEqual(await scene.hear(1), ["firing +a +b"]);
  await alerts.resolve("a", "b");
  t.deepEqual(await scene.hear(2), ["firing +a +b", "resolved -a -b"]);
});

test("labels that are too long for an index group alerts as others do", async (t) => {
  await using scene = await open();
  await addRoute(scene, { grouping: Grouping.LABELS, groupLabels: ["host"] });
  const long = (seed: string) =>
    Array.from({ length: 90 }, (_, at) => hash("sha256", `${seed}${at}`)).join("");
  await scene.alerts.fire(
    { name: "a", labels: { host: long("x") } },
    { name: "b", labels: { host: long("x") } },
    { name: "c", labels: { host: long("y") } },
  );
  t.deepEqual((await scene.hear(2)).sort(), ["firing +a +b", "firing +c"]);
  await scene.alerts.resolve("a", "b", "c");
  await scene.hear(4);
});

test("a group that cannot be told keeps no other waiting, and is tried again", async (t) => {
  await using scene = await open();
  await addRoute(scene, { groupWait: durationFromMs(30_000), grouping: Grouping.ALERT });
  await scene.alerts.fire({ name: "stuck" }, { name: "other" });
  const [stuck] = await server.sql<{ group_id: string }>(
    `select group_id from notification_members join alerts using (workspace_id, alert_id)
     where alerts.group_key = 'stuck'`,
  );
  await server.sql(
    `create function refuse() returns trigger language plpgsql as $$
     begin raise exception 'it is stuck'; end $$`,
  );
  await server.sql(
    `create trigger refuse before insert on notifications for each row
     when (new.group_id = '${stuck?.group_id}') execute function refuse()`,
  );
  await scene.pass(30_000);
  t.deepEqual(await scene.hear(1), ["firing +other"]);
  await eventually("the other one is put off", async () => {
    const [row] = await server.sql<{ due: boolean }>(
      "select due_at > wall_clock() as due from notification_groups where group_id = $1",
      [stuck?.group_id],
    );
    return row?.due;
  });
  await server.sql("drop trigger refuse on notifications");
  await scene.pass(60_000);
  t.deepEqual(await scene.hear(2), ["firing +other", "firing +stuck"]);
});

test("what nobody takes is told again, and no more once it is acknowledged", async (t) => {
  await using scene = await open();
  await scene.alerts.fire({ name: "fire" });
  await scene.hear(1);
  await scene.pass(4 * 60 * MINUTE);
  t.deepEqual(await scene.hear(2), ["firing +fire", "repeated fire"]);
  const { incidents } = await incidentsOf(scene).listIncidents({});
  const incidentId = incidents[0]?.incidentId ?? "";
  await incidentsOf(scene).acknowledgeIncident({ incidentId });
  await scene.pass(4 * 60 * MINUTE);
  await eventually("it was passed over", async () => {
    const [row] = await server.sql<{ due: boolean }>(
      "select due_at > wall_clock() as due from notification_groups where group_key = $1",
      [incidentId],
    );
    return row?.due;
  });
  await incidentsOf(scene).resolveIncident({ incidentId });
  t.deepEqual(await scene.hear(3), ["firing +fire", "repeated fire", "resolved -fire"]);
  // The alert itself ends later, which is nothing new.
  await scene.alerts.resolve("fire");
  t.is(scene.receiver.received.length, 3);
});

test("routes are asked in order; conditions, the end of the line, and channels decide", async (t) => {
  await using scene = await open();
  await using other = await startReceiver();
  const { channel } = await server
    .client(ChannelService, scene.token)
    .createChannel({ displayName: "pager", url: other.url });
  const pager = channel?.channelId ?? "";
  const { token } = scene;
  await addRoute(scene, { displayName: "rest" });
  await addRoute(
    scene,
    {
      displayName: "critical",
      channelIds: [pager],
      continue: true,
      conditions: { severities: [Severity.CRITICAL] },
    },
    1,
  );
  await addRoute(
    scene,
    {
      displayName: "staging",
      channelIds: [],
      conditions: {
        matchers: [{ label: "host", operation: Operation.MATCHES, value: "stage-.*" }],
      },
    },
    1,
  );
  const { routes } = await routesOf(scene).listNotificationRoutes({});
  t.deepEqual(
    routes.map(({ position, settings }) => [position, settings?.displayName]),
    [
      [1, "staging"],
      [2, "critical"],
      [3, "rest"],
    ],
  );
  const matched = await routesOf(scene).matchNotificationRoutes({
    labels: { host: "web-1" },
    severity: Severity.CRITICAL,
  });
  t.deepEqual(
    matched.routes.map(({ settings }) => settings?.displayName),
    ["critical", "rest"],
  );
  await scene.alerts.fire({ name: "quiet", labels: { host: "stage-1" }, severity: "critical" });
  await scene.alerts.fire({ name: "loud", labels: { host: "web-1" }, severity: "critical" });
  await scene.alerts.fire({ name: "plain", labels: { host: "web-2" } });
  t.deepEqual((await scene.hear(2)).sort(), ["firing +loud", "firing +plain"]);
  await eventually("the pager rings", () => other.received.length === 1);

  const inUse = await t.throwsAsync(
    server.client(ChannelService, token).deleteChannel({ channelId: pager }),
    { instanceOf: ConnectError, message: /route still leads/ },
  );
  t.is(inUse?.code, Code.FailedPrecondition);
  // What has begun to be told is told to its end, though its route is gone.
  for (const { routeId } of routes) await routesOf(scene).deleteNotificationRoute({ routeId });
  await scene.alerts.resolve("loud");
  await eventually("the pager hears of the end", () => other.received.length === 2);
});

test("each alert by itself, with no interval: each beginning and each end is told exactly once", async (t) => {
  await using scene = await open();
  await addRoute(scene, { grouping: Grouping.ALERT, groupInterval: durationFromMs(0) });
  const { alerts } = scene;
  for (let round = 0; round < 3; round += 1) {
    await alerts.fire({ name: "x" }, { name: "y" });
    await alerts.resolve("x", "y");
  }
  const told = await scene.hear(12);
  t.deepEqual(told.sort(), [
    ...Array<string>(3).fill("firing +x"),
    ...Array<string>(3).fill("firing +y"),
    ...Array<string>(3).fill("resolved -x"),
    ...Array<string>(3).fill("resolved -y"),
  ]);
  const [row] = await server.sql<{ notifications: bigint; deliveries: bigint }>(
    `select (select count(*) from notifications where channel_id = $1) as notifications,
       (select count(*) from deliveries where channel_id = $1) as deliveries`,
    [scene.channelId],
  );
  t.deepEqual(row, { notifications: "12", deliveries: "12" } as never);
});

test("a change that is not committed is told to nobody", async (t) => {
  await using scene = await open();
  const { recordTransitions } = await import("../../../server/alerts/transitions.ts");
  const { workspaceId } = await whereIs(scene);
  await t.throwsAsync(
    scene.alerts.db.transaction().execute(async (transaction) => {
      await recordTransitions(transaction, workspaceId, [
        {
          kind: "fire",
          key: { origin: "system", source: "test", groupKey: "lost" },
          atMs: Date.now(),
          details: { severity: "critical", summary: "lost is wrong", labels: {} },
        },
      ]);
      throw new Error("the server is killed here");
    }),
    { message: /killed/ },
  );
  await scene.alerts.fire({ name: "kept" });
  t.deepEqual(await scene.hear(1), ["firing +kept"]);
});

async function whereIs({ channelId }: Scene): Promise<{ workspaceId: string }> {
  const [row] = await server.sql<{ workspace_id: string }>(
    "select workspace_id from channels where channel_id = $1",
    [channelId],
  );
  return { workspaceId: row?.workspace_id ?? "" };
}

test("a silence keeps back what it is about, says so, and what still fires at its end is told", async (t) => {
  await using scene = await open();
  const silences = silencesOf(scene);
  const { silence } = await silences.createSilence({
    conditions: { matchers: [{ label: "host", operation: Operation.EQUAL, value: "db" }] },
    endTime: timestampFromMs(Date.now() + 60 * MINUTE),
    reason: "new disks",
  });
  const silenceId = silence?.silenceId ?? "";
  t.is(silence?.status, Status.ACTIVE);
  await scene.alerts.fire({ name: "io", labels: { host: "db" } });
  await scene.alerts.fire({ name: "short", labels: { host: "db" } });
  await scene.alerts.fire({ name: "web", labels: { host: "web" } });
  t.deepEqual(await scene.hear(1), ["firing +web"]);
  t.is((await silences.getSilence({ silenceId })).silence?.firingAlerts, 2);
  const { incidents } = await incidentsOf(scene).listIncidents({ search: "io" });
  t.is(incidents[0]?.silencedCount, 2);
  const shown = await incidentsOf(scene).getIncident({
    incidentId: incidents[0]?.incidentId ?? "",
  });
  t.true(shown.alerts.every((alert) => alert.silenceId === silenceId));
  t.true(
    shown.events.some(({ kind, message }) => kind === Kind.SILENCED && /new disks/.test(message)),
  );

  await scene.alerts.resolve("short");
  await scene.pass(60 * MINUTE);
  t.deepEqual(await scene.hear(2), ["firing +web", "firing +io"]);
});

test("an end is told in spite of a silence, and a silence that is ended early tells at once", async (t) => {
  await using scene = await open();
  const silences = silencesOf(scene);
  const { alerts } = scene;
  await alerts.fire({ name: "before" });
  await scene.hear(1);
  const { silence } = await silences.createSilence({
    conditions: { severities: [Severity.WARNING] },
    endTime: timestampFromMs(Date.now() + 60 * MINUTE),
    reason: "maintenance",
  });
  await alerts.resolve("before");
  await scene.hear(2);
  await alerts.fire({ name: "during" });
  const silenceId = silence?.silenceId ?? "";
  const { silence: ended } = await silences.endSilence({ silenceId });
  t.is(ended?.status, Status.ENDED);
  t.deepEqual(await scene.hear(3), ["firing +before", "resolved -before", "firing +during"]);
  const over = await t.throwsAsync(silences.endSilence({ silenceId }), {
    instanceOf: ConnectError,
  });
  t.is(over?.code, Code.FailedPrecondition);
  t.is((await silences.listSilences({})).silences.length, 0);
  t.is((await silences.listSilences({ includeEnded: true })).silences.length, 1);
});

test("an incident can be silenced by itself, until it is extended or over", async (t) => {
  await using scene = await open();
  await scene.alerts.fire({ name: "one", labels: { host: "a" } });
  await scene.hear(1);
  const { incidents } = await incidentsOf(scene).listIncidents({});
  const incidentId = incidents[0]?.incidentId ?? "";
  const { silence } = await silencesOf(scene).createSilence({
    incidentId,
    endTime: timestampFromMs(Date.now() + 60 * MINUTE),
    reason: "known",
  });
  await scene.alerts.fire({ name: "two", labels: { host: "a" }, severity: "critical" });
  await silencesOf(scene).updateSilence({
    silenceId: silence?.silenceId ?? "",
    endTime: timestampFromMs(Date.now() + 120 * MINUTE),
  });
  await scene.alerts.fire({ name: "three", labels: { host: "b" } });
  t.deepEqual(await scene.hear(2), ["firing +one", "firing +three"]);
});

test("what makes no silence or route is refused, with what to do", async (t) => {
  await using scene = await open();
  const endTime = timestampFromMs(Date.now() + MINUTE);
  const silence = { endTime, reason: "x" };
  type Request = Parameters<ReturnType<typeof silencesOf>["createSilence"]>[0];
  const refusals: [Request, RegExp][] = [
    [{ ...silence }, /about something/],
    [{ ...silence, incidentId: "inc.aaaaaaaaaa" }, /no incident/],
    [
      { ...silence, conditions: { severities: [Severity.INFO] }, endTime: timestampFromMs(0) },
      /in the future/,
    ],
    [
      {
        ...silence,
        conditions: { matchers: [{ label: "a", operation: Operation.MATCHES, value: "(" }] },
      },
      /no regular expression/,
    ],
  ];
  for (const [request, words] of refusals) {
    await t.throwsAsync(silencesOf(scene).createSilence(request), { message: words });
  }
  await addRoute(scene, { displayName: "taken" });
  for (const [settings, words] of [
    [{ displayName: "TAKEN" }, /of that name already/],
    [{ groupLabels: ["host"] }, /GROUPING_LABELS only/],
    [{ repeatInterval: durationFromMs(1_000) }, /at least a minute/],
    [{ channelIds: ["chn.aaaaaaaaaa"] }, /no channel/],
    [{ conditions: { clusterIds: ["cls.aaaaaaaaaa"] } }, /no cluster/],
  ] as const) {
    await t.throwsAsync(addRoute(scene, settings), { message: words });
  }
});
