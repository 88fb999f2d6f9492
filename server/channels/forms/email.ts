import type { AlertsData, ToldAlert } from "../events.ts";
import type { Mail } from "../mail.ts";
import type { Sending } from "./form.ts";
import { alertLine, headline, labelLine, testText } from "./words.ts";

const MOST_ALERTS = 50;

/** A mail with the same content as plain text and as HTML. */
export function emailBody(sending: Sending): Mail {
  const { event, now } = sending;
  const subject = `[Lumetry] ${headline(event)}`;
  if (event.type === "channel.test") {
    const text = testText(event.data.sentBy);
    return { subject, text: `${text}\n`, html: page(`<p>${escaped(text)}</p>`), thread: "" };
  }
  const { data } = event;
  const shown = data.alerts.slice(0, MOST_ALERTS);
  const left = data.alerts.length - shown.length + data.omitted;
  const more = left > 0 ? `… and ${left} more` : "";
  const text = [
    headline(event),
    "",
    ...shown.flatMap((alert) => textOf(alert, now)),
    ...(more ? [more] : []),
    ...(data.url ? ["", `Look into it: ${data.url}`] : []),
    "",
    `Sent by the route "${data.route}".`,
  ];
  const html = [
    `<h2 style="font-size:18px;margin:0 0 12px">${escaped(headline(event))}</h2>`,
    `<ul style="padding-left:18px;margin:0 0 12px">${shown.map((alert) => itemOf(alert, now)).join("")}</ul>`,
    ...(more ? [`<p>${escaped(more)}</p>`] : []),
    ...(data.url ? [`<p><a href="${escaped(data.url)}">Look into it</a></p>`] : []),
    `<p style="color:#6b7280">Sent by the route "${escaped(data.route)}".</p>`,
  ];
  return {
    subject,
    text: `${text.join("\n")}\n`,
    html: page(html.join("")),
    thread: threadOf(data),
  };
}

/** Mails of one incident, or else of one group, are one conversation. */
const threadOf = ({ group, incidents }: AlertsData) =>
  incidents.length === 1 ? (incidents[0]?.incidentId ?? "") : group.groupId;

function textOf(alert: ToldAlert, now: Date): string[] {
  const labels = labelLine(alert);
  return [
    `- ${alertLine(alert, now)}`,
    ...(labels ? [`  ${labels}`] : []),
    ...(alert.runbookUrl ? [`  runbook: ${alert.runbookUrl}`] : []),
  ];
}

function itemOf(alert: ToldAlert, now: Date): string {
  const labels = labelLine(alert);
  const runbook = /^https?:\/\//.test(alert.runbookUrl)
    ? ` <a href="${escaped(alert.runbookUrl)}">runbook</a>`
    : "";
  const small = labels && `<br><small style="color:#6b7280">${escaped(labels)}</small>`;
  return `<li style="margin-bottom:8px">${escaped(alertLine(alert, now))}${runbook}${small}</li>`;
}

const CHARACTERS: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escaped = (text: string) => text.replace(/[&<>"']/g, (one) => CHARACTERS[one] ?? "");

const page = (content: string) =>
  `<!doctype html><html><body style="font-family:sans-serif;font-size:14px;color:#111827">${content}</body></html>`;
