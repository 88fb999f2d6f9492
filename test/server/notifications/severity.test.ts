import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import test from "ava";
import { ChannelService } from "../../../gen/lumetry/v1/channel_service_pb.js";
import { IncidentService } from "../../../gen/lumetry/v1/incident_service_pb.js";
import {
  NotificationRouteSettings_Grouping as Grouping,
  NotificationRouteService,
} from "../../../gen/lumetry/v1/notification_route_service_pb.js";
import { Severity } from "../../../gen/lumetry/v1/severity_pb.js";
import { SilenceService } from "../../../gen/lumetry/v1/silence_service_pb.js";
import { eventually } from "../../support/eventually.ts";
import { openRules } from "../../support/judging.ts";
import { type Receiver, startReceiver } from "../../support/receiver.ts";
import { setUp, startTestServer } from "../../support/server.ts";

/** Types of what was told, with the severity and how many alerts fire. */
const told = ({ received }: Receiver) =>
  received.map(({ body }) => {
    const { type, data } = JSON.parse(body);
    return `${type.replace("alerts.", "")} ${data.severity} ${data.firing}`;
  });

/** A rule with an alert that fires, told to everybody, and on a pager what is critical. */
async function open() {
  await using started = new AsyncDisposableStack();
  const server = started.use(await startTestServer({ egressAllow: ["127.0.0.0/8"] }));
  const owner = await setUp(server);
  const all = started.use(await startReceiver());
  const pager = started.use(await startReceiver());
  const low = started.use(await startReceiver());
  const routes = server.client(NotificationRouteService, owner.token);
  for (const [displayName, receiver, severities] of [
    ["pager", pager, [Severity.CRITICAL]],
    ["low", low, [Severity.WARNING]],
    ["all", all, []],
  ] as const) {
    const { channel } = await server
      .client(ChannelService, owner.token)
      .createChannel({ displayName, url: receiver.url });
    await routes.createNotificationRoute({
      settings: {
        displayName,
        channelIds: [channel?.channelId ?? ""],
        grouping: Grouping.INCIDENT,
        conditions: { severities: [...severities] },
        continue: true,
      },
    });
  }
  const { addRule } = await openRules(server, owner);
  const rule = await addRule({ window: durationFromMs(1_000) });
  await rule.send("a", [Date.now() - 20_000, 95]);
  await eventually("it is told", () => all.received.length === 1 && low.received.length === 1);
  const stack = started.move();
  return {
    server,
    owner,
    all,
    pager,
    low,
    rule,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test("a severity that is raised is told once, on the routes that want it", async (t) => {
  await using scene = await open();
  const { server, owner, all, pager, low, rule } = scene;
  await rule.edit({ severity: Severity.CRITICAL });
  await eventually("it is told", () => pager.received.length === 1 && all.received.length === 2);
  const { incidents } = await server.client(IncidentService, owner.token).listIncidents({});
  t.deepEqual(
    incidents.map(({ severity }) => severity),
    [Severity.CRITICAL],
  );
  // Once only; a lower one is nothing that has to be told, nor is another word.
  await rule.edit({ severity: Severity.CRITICAL, message: "it is {{ $value }}" });
  await rule.edit({ severity: Severity.INFO });
  await rule.send("a", [Date.now() - 5_000, 20]);
  await eventually("its end is told", () =>
    [all, pager, low].every(({ received }) => received.at(-1)?.body.includes("alerts.resolved")),
  );
  t.deepEqual(told(pager), ["firing critical 1", "resolved info 0"]);
  t.deepEqual(told(all), ["firing warning 1", "changed critical 1", "resolved info 0"]);
  t.deepEqual(told(low), ["firing warning 1", "resolved info 0"]);
});

test("a silence keeps a raised severity back, which is told at its end, and never the end of what was told", async (t) => {
  await using scene = await open();
  const { server, owner, all, pager, rule } = scene;
  const silences = server.client(SilenceService, owner.token);
  const { silence } = await silences.createSilence({
    conditions: { ruleIds: [rule.ruleId] },
    endTime: timestampFromMs(Date.now() + 3_600_000),
    reason: "known",
  });
  await rule.edit({ severity: Severity.CRITICAL });
  const [row] = await server.sql<{ kept: string }>(
    "select count(*) as kept from notification_members where silence_id is not null",
  );
  t.is(row?.kept, "2");
  t.deepEqual([told(all), told(pager)], [["firing warning 1"], []]);
  await silences.endSilence({ silenceId: silence?.silenceId ?? "" });
  await eventually("it is told", () => pager.received.length === 1 && all.received.length === 2);
  t.deepEqual(told(all), ["firing warning 1", "changed critical 1"]);

  const { silence: again } = await silences.createSilence({
    conditions: { ruleIds: [rule.ruleId] },
    endTime: timestampFromMs(Date.now() + 3_600_000),
    reason: "known",
  });
  t.truthy(again);
  await rule.send("a", [Date.now() - 5_000, 20]);
  await eventually(
    "the end is told",
    () => pager.received.length === 2 && all.received.length === 3,
  );
  t.is(told(all).at(-1), "resolved critical 0");
});
