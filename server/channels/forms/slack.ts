import type { Severity } from "../../alerts/table.ts";
import type { ToldAlert } from "../events.ts";
import type { Sending } from "./form.ts";
import { alertLine, headline, labelLine, testText } from "./words.ts";

const COLORS: Record<Severity, string> = {
  info: "#3b82f6",
  warning: "#f59e0b",
  critical: "#dc2626",
};
const RESOLVED = "#16a34a";
/** Slack folds longer messages, and refuses some. */
const MOST_ALERTS = 10;

/** What these characters mean to Slack, they mean to nobody who named a label. */
const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** An incoming webhook of Slack's: a text, and attachments, which Mattermost and Rocket.Chat know as well. */
export function slackBody({ event, now }: Sending): object {
  const text = escaped(headline(event));
  if (event.type === "channel.test") {
    const words = escaped(testText(event.data.sentBy));
    return { text, attachments: [{ color: COLORS.info, fallback: words, text: words }] };
  }
  const { data } = event;
  const shown = data.alerts.slice(0, MOST_ALERTS);
  const left = data.alerts.length - shown.length + data.omitted;
  const lines = [
    ...shown.map((alert) => lineOf(alert, now)),
    ...(left > 0 ? [`… and ${left} more`] : []),
  ];
  return {
    text,
    attachments: [
      {
        color: event.type === "alerts.resolved" ? RESOLVED : COLORS[data.severity],
        fallback: text,
        title: escaped(data.title),
        ...(data.url && { title_link: data.url }),
        text: lines.join("\n"),
        footer: escaped(`Lumetry, route ${data.route}`),
        ts: Math.floor(now.getTime() / 1000),
      },
    ],
  };
}

function lineOf(alert: ToldAlert, now: Date): string {
  const labels = labelLine(alert);
  const runbook = /^https?:\/\/[^\s<>|]+$/.test(alert.runbookUrl)
    ? ` <${alert.runbookUrl}|runbook>`
    : "";
  return `• ${escaped(alertLine(alert, now))}${labels && ` (${escaped(labels)})`}${runbook}`;
}
