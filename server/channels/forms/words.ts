import { spanText } from "../../../lib/age.ts";
import type { AlertsEvent, Event, ToldAlert } from "../events.ts";

/** How an event is put to people, in whatever form. */

const STATUS: Record<AlertsEvent["type"], string> = {
  "alerts.firing": "",
  "alerts.changed": "More: ",
  "alerts.repeated": "Still: ",
  "alerts.resolved": "Resolved: ",
};

/** One line without breaks. */
export const oneLine = (text: string) => text.replace(/[\s\p{Cc}]+/gu, " ").trim();

export function headline(event: Event): string {
  if (event.type === "channel.test") {
    return oneLine(`A test of the channel "${event.data.channel}"`);
  }
  const { title, severity, firing } = event.data;
  const weight = event.type === "alerts.resolved" ? "" : `${severity.toUpperCase()} `;
  const count = firing > 1 ? ` (${firing} alerts)` : "";
  return oneLine(`${weight}${STATUS[event.type]}${title}${count}`);
}

export const testText = (sentBy: string) =>
  `Notifications arrive here. ${sentBy} has sent this message to try it.`;

/** "web-1 · CPU above 90 % · for 12 minutes". */
export function alertLine(alert: ToldAlert, now: Date): string {
  const until = alert.resolvedAt === null ? now : new Date(alert.resolvedAt);
  const lasted = spanText(Math.max(0, until.getTime() - new Date(alert.firedAt).getTime()));
  const text = alert.summary === "" ? alert.alertName : alert.summary;
  return oneLine(`${text}, ${alert.status === "firing" ? "for" : "over after"} ${lasted}`);
}

export const labelLine = ({ labels }: ToldAlert) =>
  oneLine(
    Object.entries(labels)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([label, value]) => `${label}=${value}`)
      .join(" "),
  );
