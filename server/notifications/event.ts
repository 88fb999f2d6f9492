import { worst } from "../alerts/severities.ts";
import type { AlertsEvent, ToldAlert, ToldIncident } from "../channels/events.ts";
import { type Group, isNews, type Member } from "./loading.ts";

/** A message names so many alerts, and says how many there are besides. */
const MOST_TOLD = 100;

/** What a notification says. */
export function makeEvent(
  group: Group,
  at: {
    type: AlertsEvent["type"];
    transition: number;
    told: readonly Member[];
    publicUrl: string;
    now: Date;
  },
): AlertsEvent {
  const { type, transition, told, publicUrl, now } = at;
  const firing = told.filter(({ fires }) => fires);
  const resolved = told.filter(({ fires }) => !fires);
  // What is new comes first, since the rest is known.
  const ordered = [
    ...firing.filter(isNews),
    ...firing.filter((member) => !isNews(member)),
    ...resolved,
  ];
  const shown = ordered.slice(0, MOST_TOLD);
  const severities = (firing.length > 0 ? firing : resolved).map(({ subject }) => subject.severity);
  const incidents = incidentsOf(shown, publicUrl);
  const [incident] = incidents;
  return {
    type,
    data: {
      title: titleOf(ordered, incidents),
      severity: worst(severities),
      route: group.routeName,
      group: { groupId: group.groupId, transition, labels: group.labels },
      firing: firing.length,
      resolved: resolved.length,
      incidents,
      alerts: shown.map((member) => toAlert(member, now)),
      omitted: ordered.length - shown.length,
      url:
        incidents.length === 1 && incident ? incident.url : publicUrl && `${publicUrl}/incidents`,
    },
  };
}

/** "#12 CPU of web-1 is at 97 %". */
function titleOf(ordered: readonly Member[], incidents: readonly ToldIncident[]): string {
  const [first] = ordered;
  const [incident] = incidents;
  const text = first?.summary || first?.subject.alertName || "";
  return incidents.length === 1 && incident ? `#${incident.number} ${text}` : text;
}

function incidentsOf(members: readonly Member[], publicUrl: string): ToldIncident[] {
  const byId = new Map(members.map((member) => [member.incidentId, member]));
  return [...byId.values()].map((member) => ({
    incidentId: member.incidentId,
    number: member.incidentNumber,
    title: member.incidentTitle,
    state: member.incidentState,
    url: publicUrl && `${publicUrl}/incidents/${member.incidentId}`,
  }));
}

function toAlert(member: Member, now: Date): ToldAlert {
  const { alertname: _name, severity: _severity, ...labels } = member.subject.labels;
  return {
    alertId: member.subject.alertId,
    incidentId: member.incidentId,
    status: member.fires ? "firing" : "resolved",
    isNew: member.fires && member.told !== "firing",
    alertName: member.subject.alertName,
    ruleId: member.subject.ruleId,
    severity: member.subject.severity,
    summary: member.summary,
    labels,
    value: member.value,
    runbookUrl: member.runbookUrl,
    firedAt: member.firedAt.toISOString(),
    // A person may have said that it is over before it was.
    resolvedAt: member.fires ? null : (member.resolvedAt ?? now).toISOString(),
  };
}
