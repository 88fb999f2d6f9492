import type { SeriesName } from "../log/series.ts";
import type { Sender } from "./sender.ts";

/** The same for senders whose series have the same names, different for all others. */
export function textOfSender({ workspaceId, labels }: Sender): string {
  const entries = Object.entries(labels).sort(byName);
  return [workspaceId, ...entries.flat()].join("\0");
}

/** What a checked series is called in the catalog: the sender's labels win, empty ones are left out. */
export function nameSeries(
  sender: Sender,
  metric: string,
  labels: Readonly<Record<string, string>>,
): SeriesName {
  const all = new Map([...Object.entries(labels), ...Object.entries(sender.labels)]);
  const entries = [...all].filter(([, value]) => value !== "");
  return { metric, labels: entries.sort(byName) };
}

const byName = ([a]: [string, string], [b]: [string, string]) => (a < b ? -1 : 1);
