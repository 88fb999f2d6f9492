import {
  everySeries,
  type Range,
  type RangeRequest,
  type RangeSeries,
} from "../../client/range.ts";
import { labelsText } from "../../words/labels.ts";

/** A field of a CSV file. A leading sign is kept from being taken for a formula. */
export function csvField(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** A line for each point: time, labels, value. */
export function csvOf(metric: string, { series }: Pick<Range, "series">): string {
  const labels = labelsOf(series);
  return headOf(labels) + series.map((each) => linesOf(metric, labels, each)).join("");
}

const labelsOf = (series: RangeSeries[]) =>
  [...new Set(series.flatMap((each) => Object.keys(each.labels)))].sort();

const headOf = (labels: string[]) =>
  `${["time", "metric", ...labels, "value"].map(csvField).join(",")}\r\n`;

const linesOf = (metric: string, labels: string[], { labels: own, points }: RangeSeries) =>
  points
    .map(({ time, value }) =>
      [
        new Date(time).toISOString(),
        csvField(metric),
        ...labels.map((label) => csvField(own[label] ?? "")),
        String(value),
      ].join(","),
    )
    .map((line) => `${line}\r\n`)
    .join("");

/**
 * Of an answer that is too large to be held: its lines are kept as bytes, which the browser may put on
 * disk. Labels are one field, for which there are is known only at the end.
 */
export async function saveLargeCsv(request: RangeRequest, signal: AbortSignal): Promise<void> {
  const { metric } = request;
  const parts: Blob[] = [new Blob(["time,metric,labels,value\r\n"])];
  for await (const { labels, points } of everySeries(request, signal)) {
    parts.push(
      new Blob([linesOf(metric, ["labels"], { labels: { labels: labelsText(labels) }, points })]),
    );
  }
  save(`${metric}.csv`, new Blob(parts, { type: "text/csv;charset=utf-8" }));
}

function save(name: string, blob: Blob): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // Not at once: the browser has yet to begin.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function saveCsv(metric: string, range: Range): void {
  save(`${metric}.csv`, new Blob([csvOf(metric, range)], { type: "text/csv;charset=utf-8" }));
}

/** The chart on the ground that it is shown on. */
export function savePng(metric: string, drawing: HTMLCanvasElement): void {
  const copy = document.createElement("canvas");
  copy.width = drawing.width;
  copy.height = drawing.height;
  const context = copy.getContext("2d");
  if (!context) return;
  const card = drawing.closest(".card");
  context.fillStyle = card ? getComputedStyle(card).backgroundColor : "#fff";
  context.fillRect(0, 0, copy.width, copy.height);
  context.drawImage(drawing, 0, 0);
  copy.toBlob((blob) => blob && save(`${metric}.png`, blob), "image/png");
}
