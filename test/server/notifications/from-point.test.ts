import { durationFromMs } from "@bufbuild/protobuf/wkt";
import test from "ava";
import { ChannelService } from "../../../gen/lumetry/v1/channel_service_pb.js";
import { IncidentService } from "../../../gen/lumetry/v1/incident_service_pb.js";
import { RuleService } from "../../../gen/lumetry/v1/rule_service_pb.js";
import { eventually } from "../../support/eventually.ts";
import { addSender, seriesOf } from "../../support/points.ts";
import { isSignedBy, startReceiver } from "../../support/receiver.ts";
import { aboveBound } from "../../support/rules.ts";
import { setUp, startTestServer } from "../../support/server.ts";

test("a point above a rule's bound becomes an alert, an incident and a signed message; the next one below it, their end", async (t) => {
  await using server = await startTestServer({ egressAllow: ["127.0.0.0/8"] });
  await using receiver = await startReceiver();
  const { token } = await setUp(server);
  const { secret } = await server
    .client(ChannelService, token)
    .createChannel({ displayName: "ops", url: receiver.url });
  await server.client(RuleService, token).createRule({
    settings: aboveBound("room.temperature", {
      displayName: "too warm",
      window: durationFromMs(1_000),
      message: "{{ $labels.host }} has {{ $value }} degrees",
      runbookUrl: "https://wiki.example.com/warm",
    }),
  });
  const { metrics } = await addSender(server, token);
  const send = (ms: number, value: number) =>
    metrics.writeMetrics({
      series: [seriesOf("room.temperature", { host: "attic" }, [ms, value])],
    });
  // Twice: what is sent again tells nothing again.
  const breach = Date.now() - 10_000;
  await send(breach, 95);
  await send(breach, 95);
  await eventually("it is told", () => receiver.received.length > 0);
  const { incidents } = await server.client(IncidentService, token).listIncidents({});
  t.is(incidents.length, 1);
  t.is(incidents[0]?.title, "attic has 95 degrees");
  await send(Date.now() - 5_000, 20);
  await eventually("its end is told", () => receiver.received.length > 1);

  t.true(receiver.received.every((message) => isSignedBy(message, secret)));
  const [firing, resolved, ...more] = receiver.received.map(({ body }) => JSON.parse(body));
  t.deepEqual(more, []);
  t.deepEqual([firing.type, resolved.type], ["alerts.firing", "alerts.resolved"]);
  const [alert] = firing.data.alerts;
  t.is(alert.alertName, "too warm");
  t.is(alert.value, 95);
  t.is(alert.labels.host, "attic");
  t.is(alert.runbookUrl, "https://wiki.example.com/warm");
  t.is(alert.incidentId, incidents[0]?.incidentId);
  t.is(resolved.data.alerts[0].alertId, alert.alertId);
});
