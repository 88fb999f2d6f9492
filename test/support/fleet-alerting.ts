/** Rules, alerts, incidents and who is told of them, for the fleet that the console is looked at with. */
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { IncidentService } from "../../gen/lumetry/v1/incident_service_pb.js";
import { LabelMatcher_Operation as Operation } from "../../gen/lumetry/v1/metric_query_service_pb.js";
import { NotificationRouteService } from "../../gen/lumetry/v1/notification_route_service_pb.js";
import { RuleSettings_Direction as Direction } from "../../gen/lumetry/v1/rule_pb.js";
import { RuleService } from "../../gen/lumetry/v1/rule_service_pb.js";
import { Severity } from "../../gen/lumetry/v1/severity_pb.js";
import { SilenceService } from "../../gen/lumetry/v1/silence_service_pb.js";
import { openAlerts } from "./alerts.ts";
import type { Owner, TestServer } from "./server.ts";

export interface FleetAlerting {
  rule: string;
  /** Somebody has taken it and said something. */
  incident: string;
}

export async function addFleetAlerting(
  server: TestServer,
  owner: Owner,
  channelId: string,
): Promise<FleetAlerting> {
  const rules = server.client(RuleService, owner.token);
  const { rule } = await rules.createRule({
    settings: {
      displayName: "processors busy",
      metric: "system.cpu.utilization",
      window: durationFromMs(300_000),
      condition: {
        case: "threshold",
        value: { direction: Direction.ABOVE, value: 0.65, recoveryValue: 0.6 },
      },
      for: durationFromMs(120_000),
      severity: Severity.WARNING,
      runbookUrl: "https://wiki.example.com/runbooks/processors-busy",
      labels: { team: "operations" },
    },
  });
  await rules.createRule({
    settings: {
      displayName: "file system nearly full",
      metric: "system.filesystem.utilization",
      condition: { case: "threshold", value: { direction: Direction.ABOVE, value: 0.9 } },
      severity: Severity.CRITICAL,
    },
  });
  await rules.createRule({
    settings: {
      displayName: "no points from the payment gateway",
      metric: "payments.accepted",
      condition: { case: "absence", value: { duration: durationFromMs(300_000) } },
      severity: Severity.CRITICAL,
      disabled: true,
    },
  });
  await server.client(NotificationRouteService, owner.token).createNotificationRoute({
    settings: {
      displayName: "critical, at once",
      conditions: { severities: [Severity.CRITICAL] },
      channelIds: [channelId],
      continue: true,
    },
  });
  await server.client(NotificationRouteService, owner.token).createNotificationRoute({
    settings: {
      displayName: "operations",
      conditions: {
        matchers: [{ label: "team", operation: Operation.EQUAL, value: "operations" }],
      },
      channelIds: [channelId],
      groupWait: durationFromMs(30_000),
    },
  });
  await using alerts = openAlerts(server, owner.workspaceId);
  await alerts.fire({
    name: "orders database",
    kind: "source_down",
    severity: "critical",
    summary:
      "The source orders database has not answered for 9 minutes: 10.20.4.17:5432 refused the connection",
    labels: { source: "orders database", zone: "default" },
  });
  await alerts.fire({
    name: "mail-relay",
    kind: "collector_missed_heartbeats",
    summary: "The collector mail-relay was last heard of 47 minutes ago",
    labels: { collector: "mail-relay", zone: "default" },
  });
  await server.client(SilenceService, owner.token).createSilence({
    conditions: {
      matchers: [{ label: "cluster", operation: Operation.EQUAL, value: "ANVMBWEBWX" }],
    },
    endTime: timestampFromMs(Date.now() + 4 * 3_600_000),
    reason: "kernel updates on the web hosts",
  });
  const incidents = server.client(IncidentService, owner.token);
  const { incidents: found } = await incidents.listIncidents({ severities: [Severity.CRITICAL] });
  const incidentId = found[0]?.incidentId ?? "";
  await incidents.acknowledgeIncident({ incidentId, comment: "I look into it." });
  await incidents.commentIncident({
    incidentId,
    comment:
      "The primary restarts in a loop since the update of its host. Going back to the version before.",
  });
  return { rule: rule?.ruleId ?? "", incident: incidentId };
}
