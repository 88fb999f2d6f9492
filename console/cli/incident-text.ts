import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type Incident,
  Incident_StateSchema,
  type IncidentAlert,
  type IncidentEvent,
  IncidentEvent_KindSchema,
  Incident_State as State,
} from "../../gen/lumetry/v1/incident_pb.js";
import { spanText } from "../../lib/age.ts";
import type { Cli } from "./cli.ts";
import { labelsText } from "./labels.ts";
import { SEVERITY_STYLES, severityWord } from "./rule-text.ts";
import { facts, table } from "./table.ts";
import { plain, type Style } from "./terminal.ts";
import { ageOf, clockText, countText, enumWord, momentText } from "./words.ts";

const stateStyle = (state: State): Style | undefined =>
  (
    ({ [State.OPEN]: "red", [State.ACKNOWLEDGED]: "yellow", [State.RESOLVED]: "green" }) as Record<
      State,
      Style
    >
  )[state];

/** "3 of 5 fire, 1 silenced". */
function alertsText({ alertCount, firingCount, silencedCount }: Incident): string {
  const firing = firingCount === 0 ? "none" : countText(firingCount);
  const silenced = silencedCount > 0 ? `, ${countText(silencedCount)} silenced` : "";
  return `${firing} of ${countText(alertCount)} ${firingCount === 1 || firingCount === 0 ? "fires" : "fire"}${silenced}`;
}

export function incidentTable(cli: Cli, incidents: Incident[]): string {
  if (incidents.length === 0) return "There are no such incidents.";
  return table(
    incidents,
    [
      { title: "NUMBER", value: ({ number }) => `#${number}`, align: "right" },
      {
        title: "STATE",
        value: ({ state }) => enumWord(Incident_StateSchema, state),
        style: ({ state }) => stateStyle(state),
      },
      {
        title: "SEVERITY",
        value: ({ severity }) => severityWord(severity),
        style: ({ severity, state }) =>
          state === State.RESOLVED ? undefined : SEVERITY_STYLES[severity],
      },
      { title: "WHAT", value: ({ title }) => title, least: 24 },
      { title: "ALERTS", value: alertsText, rank: 1 },
      { title: "WHOSE", value: ({ assigneeName }) => assigneeName, rank: 2 },
      { title: "OPENED", value: ({ openTime }) => ageOf(openTime, cli.now()) },
      { title: "ID", value: ({ incidentId }) => incidentId, rank: 3 },
    ],
    cli.terminal,
  );
}

export function incidentFacts(cli: Cli, incident: Incident): string {
  const { state, severity } = incident;
  const word = enumWord(Incident_StateSchema, state);
  const style = stateStyle(state);
  const color = SEVERITY_STYLES[severity];
  const now = cli.now();
  const by = (name: string) => (name ? ` by ${plain(name)}` : "");
  const acknowledged = momentText(incident.acknowledgeTime, now);
  const resolved = momentText(incident.resolveTime, now);
  return facts(
    [
      ["incident", `#${incident.number} ${plain(incident.title)}`],
      ["id", incident.incidentId],
      ["state", style ? cli.terminal.paint(word, style) : word],
      [
        "severity",
        color ? cli.terminal.paint(severityWord(severity), color) : severityWord(severity),
      ],
      ["alerts", alertsText(incident)],
      ["whose", plain(incident.assigneeName)],
      ["opened", momentText(incident.openTime, now)],
      ["opened again", momentText(incident.reopenTime, now)],
      ["acknowledged", acknowledged && `${acknowledged}${by(incident.acknowledgedByName)}`],
      ["resolved", resolved && `${resolved}${by(incident.resolvedByName) || " by itself"}`],
    ],
    cli.terminal,
  );
}

export function incidentAlertTable(cli: Cli, alerts: IncidentAlert[]): string {
  const now = cli.now();
  return table(
    alerts,
    [
      {
        title: "SEVERITY",
        value: ({ severity }) => severityWord(severity),
        style: ({ severity, resolveTime }) => (resolveTime ? undefined : SEVERITY_STYLES[severity]),
      },
      { title: "ALERT", value: ({ summary, alertName }) => summary || alertName, least: 24 },
      { title: "LABELS", value: ({ labels }) => labelsText(labels), least: 12, rank: 1 },
      {
        title: "FIRES",
        value: ({ fireTime, resolveTime }) => {
          if (!fireTime) return "";
          const until = resolveTime ? timestampMs(resolveTime) : now;
          const span = spanText(Math.max(0, until - timestampMs(fireTime)));
          return resolveTime ? `ended after ${span}` : `for ${span}`;
        },
      },
      { title: "SILENCED BY", value: ({ silenceId }) => silenceId, rank: 1 },
      { title: "WHY HERE", value: ({ gatherReason }) => gatherReason, least: 16, rank: 2 },
    ],
    cli.terminal,
  );
}

/** Oldest first, as it happened. */
export function timelineText(cli: Cli, events: IncidentEvent[]): string {
  return [...events]
    .reverse()
    .map((event) => {
      const time = event.time ? clockText(timestampMs(event.time)) : "";
      const word = enumWord(IncidentEvent_KindSchema, event.kind).replaceAll("_", " ");
      const who = event.actorName ? ` by ${plain(event.actorName)}` : "";
      const what = event.message ? `: ${plain(event.message)}` : "";
      return `${cli.terminal.paint(time, "dim")}  ${word}${who}${what}`;
    })
    .join("\n");
}
