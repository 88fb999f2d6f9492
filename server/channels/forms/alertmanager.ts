import { createHash } from "node:crypto";
import type { ToldAlert } from "../events.ts";
import type { Sending } from "./form.ts";
import { testText } from "./words.ts";

const VERSION = "4";
/** How Go writes a time that is not set. */
const NO_TIME = "0001-01-01T00:00:00Z";

interface Alert {
  status: "firing" | "resolved";
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAt: string;
  endsAt: string;
  generatorURL: string;
  fingerprint: string;
}

/** What Alertmanager sends to a webhook receiver, so that what reads that reads this. */
export function alertmanagerBody({ event, now, channel, publicUrl }: Sending): object {
  const head = { version: VERSION, receiver: channel, externalURL: publicUrl };
  if (event.type === "channel.test") {
    const alert = makeAlert({
      status: "firing",
      labels: { alertname: "LumetryTest", severity: "info" },
      annotations: { summary: testText(event.data.sentBy) },
      startsAt: now.toISOString(),
      endsAt: NO_TIME,
      generatorURL: publicUrl,
    });
    return {
      ...head,
      ...groupOf("test", { alertname: "LumetryTest" }, [alert]),
      truncatedAlerts: 0,
    };
  }
  const { group, incidents, omitted } = event.data;
  const urls = new Map(incidents.map(({ incidentId, url }) => [incidentId, url]));
  const alerts = event.data.alerts.map((alert) => toAlert(alert, urls.get(alert.incidentId) ?? ""));
  return { ...head, ...groupOf(group.groupId, group.labels, alerts), truncatedAlerts: omitted };
}

const toAlert = (alert: ToldAlert, url: string): Alert =>
  makeAlert({
    status: alert.status,
    labels: { ...alert.labels, alertname: alert.alertName, severity: alert.severity },
    annotations: {
      summary: alert.summary,
      ...(alert.runbookUrl && { runbook_url: alert.runbookUrl }),
      ...(alert.value !== null && { value: String(alert.value) }),
    },
    startsAt: alert.firedAt,
    endsAt: alert.resolvedAt ?? NO_TIME,
    generatorURL: url,
  });

/** The fingerprint stays the same for the same labels. */
function makeAlert(alert: Omit<Alert, "fingerprint">): Alert {
  const sorted = Object.entries(alert.labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const hash = createHash("sha256").update(JSON.stringify(sorted)).digest("hex");
  return { ...alert, fingerprint: hash.slice(0, 16) };
}

function groupOf(groupKey: string, groupLabels: Record<string, string>, alerts: Alert[]) {
  return {
    groupKey,
    groupLabels,
    status: alerts.some(({ status }) => status === "firing") ? "firing" : "resolved",
    commonLabels: common(alerts.map(({ labels }) => labels)),
    commonAnnotations: common(alerts.map(({ annotations }) => annotations)),
    alerts,
  };
}

function common([first = {}, ...others]: Record<string, string>[]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => others.every((one) => one[name] === value)),
  );
}
