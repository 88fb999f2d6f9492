import { ageText } from "../../lib/age.ts";
import { type Tick, timeTicks, valueTicks } from "./chart/axis.ts";
import { brailleCanvas, type Canvas, signCanvas } from "./chart/canvas.ts";
import type { Style, Terminal } from "./terminal.ts";
import { scaleOf, unitName, valueText } from "./units.ts";
import { pad, shorten, textWidth } from "./width.ts";

export interface ChartPoint {
  /** Milliseconds since 1970. */
  time: number;
  value: number;
}

export interface ChartSeries {
  name: string;
  /** In order of time. */
  points: ChartPoint[];
}

export interface Chart {
  metric: string;
  /** A UCUM code; "" when not known. */
  unit: string;
  /** What is said after the metric's name, such as the labels that all series share. */
  notes: string[];
  /** The span shown, in milliseconds since 1970. */
  from: number;
  to: number;
  now: number;
  /** Milliseconds that one point stands for; undefined for points as they were measured. */
  step: number | undefined;
  series: ChartSeries[];
  /** Times in which points were measured and lost. */
  lost?: { from: number; to: number }[];
}

export interface ChartLook {
  terminal: Terminal;
  /** Characters in all; the terminal's width unless told. */
  columns?: number;
  /** Lines of the plot itself. */
  rows?: number;
  /** Nothing but ASCII. */
  ascii?: boolean;
}

/** More lines than this cannot be told apart. */
export const MOST_SERIES = 6;

const PENS: Style[] = ["cyan", "yellow", "magenta", "green", "blue", "red"];
const SIGNS = ["●", "○", "◆", "◇", "▲", "△"];
const ASCII_SIGNS = ["*", "o", "x", "#", "@", "%"];
const WIDEST = 160;

/** Axes with units, times and ages, the lines, and a legend. Where nothing was measured, nothing is drawn. */
export function drawChart(chart: Chart, look: ChartLook): string {
  const { terminal } = look;
  const ascii = look.ascii ?? !terminal.unicode;
  const columns = Math.min(look.columns ?? terminal.columns, WIDEST);
  const width = Number.isFinite(columns) && columns < WIDEST ? columns : Math.min(columns, 100);
  const shown = chart.series.slice(0, MOST_SERIES);

  const values = shown.flatMap(({ points }) => points.map(({ value }) => value));
  const [low, high] = values.reduce(
    ([least, most], value) => [Math.min(least, value), Math.max(most, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  const rows = look.rows ?? 12;
  const scale = scaleOf(Math.max(Math.abs(low), Math.abs(high)), chart.unit, chart.metric);
  const axis = valueTicks(low, high, Math.max(2, Math.floor(rows / 2)), scale);
  const margin = Math.max(...axis.ticks.map(({ label }) => textWidth(label)));
  const plotColumns = Math.max(20, width - margin - 3);

  const signs = ascii ? ASCII_SIGNS : SIGNS;
  const braille = !ascii && (shown.length === 1 || terminal.colors);
  const canvas = braille ? brailleCanvas(plotColumns, rows) : signCanvas(plotColumns, rows, signs);
  const toX = (time: number) =>
    Math.round(((time - chart.from) / (chart.to - chart.from)) * (canvas.width - 1));
  const toY = (value: number) =>
    Math.round(((axis.most - value) / (axis.most - axis.least)) * (canvas.height - 1));

  const covered = new Set<number>();
  const perColumn = canvas.width / plotColumns;
  // The first series is drawn last, so that it lies on top.
  for (const [pen, series] of [...shown.entries()].reverse()) {
    const gap = gapOf(series.points, chart.step);
    const cover = (from: number, to: number) => {
      for (let x = toX(from); x <= toX(to); x += 1) covered.add(Math.floor(x / perColumn));
    };
    drawLine(canvas, series.points, gap, pen, toX, toY);
    // The last point stands until the next is due, and the first since the one before was.
    let since = chart.from;
    for (const { time } of [...series.points, { time: chart.to }]) {
      if (time - since <= gap) cover(since, time);
      else if (time < chart.to) cover(time, time);
      since = time;
    }
  }

  const labelAt = new Map<number, string>();
  for (const { value, label } of axis.ticks) {
    labelAt.set(Math.min(rows - 1, Math.floor((toY(value) / canvas.height) * rows)), label);
  }
  const [wall, notch, floor, foot, nothing, corner, loss] = ascii
    ? ["|", "+", "-", "+", ".", "+", "!"]
    : ["│", "┤", "─", "┬", "╌", "└", "╳"];
  const lost = new Set<number>();
  for (const each of chart.lost ?? []) {
    const last = Math.floor(toX(Math.min(each.to, chart.to)) / perColumn);
    for (
      let at = Math.floor(toX(Math.max(each.from, chart.from)) / perColumn);
      at <= last;
      at += 1
    ) {
      if (!covered.has(at)) lost.add(at);
    }
  }
  const penStyle = (pen: number): Style[] => (pen < 0 ? [] : [PENS[pen % PENS.length] ?? "cyan"]);
  const body = canvas.rows().map((cells, row) => {
    const label = labelAt.get(row);
    const edge = label === undefined ? wall : notch;
    return `${terminal.paint(`${pad(label ?? "", margin, "right")} ${edge}`, "dim")}${paintCells(cells, terminal, penStyle)}`;
  });

  const times = timeTicks(chart.from, chart.to, Math.max(2, Math.floor(plotColumns / 12)));
  const columnOf = (tick: Tick) =>
    Math.min(plotColumns - 1, Math.floor(toX(tick.value) / perColumn));
  const feet = new Set(times.map(columnOf));
  const ground = Array.from({ length: plotColumns }, (_cell, column) =>
    lost.has(column) ? loss : feet.has(column) ? foot : covered.has(column) ? floor : nothing,
  ).join("");
  const indent = " ".repeat(margin + 1);
  const gapNoted = covered.size + lost.size < plotColumns;

  const title = titleLines(
    [
      terminal.paint(chart.metric, "bold"),
      ...[unitName(chart.unit), ...chart.notes]
        .filter(Boolean)
        .map((note) => terminal.paint(note, "dim")),
    ],
    terminal.paint(ascii ? " - " : " · ", "dim"),
    width,
  );
  const lines = [
    ...title,
    "",
    ...body,
    terminal.paint(`${indent}${corner}${ground}`, "dim"),
    terminal.paint(`${indent} ${placeTimes(times, columnOf, plotColumns)}`, "dim"),
    terminal.paint(`${indent} ${ages(chart, plotColumns)}`, "dim"),
    "",
    ...legend(chart, shown, width, look, (pen) =>
      braille
        ? terminal.paint("━━", ...penStyle(pen))
        : terminal.paint(signs[pen % signs.length] ?? "*", ...penStyle(pen)),
    ),
    ...(gapNoted ? [terminal.paint(`${nothing}${nothing} no points in that time`, "dim")] : []),
    ...(lost.size > 0
      ? [terminal.paint(`${loss}${loss} points of that time were measured and lost`, "dim")]
      : []),
  ];
  return ascii ? lines.join("\n").replaceAll("µ", "u") : lines.join("\n");
}

/** Parts side by side, in as many lines as the width takes. */
function titleLines(parts: string[], separator: string, width: number): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const longer = `${lines.at(-1)}${separator}${part}`;
    if (lines.length > 0 && textWidth(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(part);
  }
  return lines;
}

/** The longest silence that still joins two points: more means that something is missing. */
function gapOf(points: ChartPoint[], step: number | undefined): number {
  const spaces = points
    .slice(1)
    .map((point, index) => point.time - (points[index]?.time ?? 0))
    .sort((a, b) => a - b);
  const usual = spaces[Math.floor(spaces.length / 2)] ?? 0;
  return Math.max(usual * 2.5, (step ?? 0) * 1.5);
}

function drawLine(
  canvas: Canvas,
  points: ChartPoint[],
  gap: number,
  pen: number,
  toX: (time: number) => number,
  toY: (value: number) => number,
): void {
  for (const [index, point] of points.entries()) {
    const before = points[index - 1];
    const [x, y] = [toX(point.time), toY(point.value)];
    if (before && point.time - before.time <= gap) {
      canvas.line(toX(before.time), toY(before.value), x, y, pen);
    } else canvas.dot(x, y, pen);
  }
}

function paintCells(
  cells: { character: string; pen: number }[],
  terminal: Terminal,
  style: (pen: number) => Style[],
): string {
  let text = "";
  for (let start = 0; start < cells.length; ) {
    const pen = cells[start]?.pen ?? -1;
    let end = start;
    while (end < cells.length && cells[end]?.pen === pen) end += 1;
    const run = cells.slice(start, end).map(({ character }) => character);
    text += terminal.paint(run.join(""), ...style(pen));
    start = end;
  }
  return text.trimEnd();
}

/** The labels of the time axis, each centred below its tick; one that would touch another is left out. */
function placeTimes(ticks: Tick[], columnOf: (tick: Tick) => number, columns: number): string {
  let text = "";
  for (const tick of ticks) {
    const at = Math.max(0, columnOf(tick) - Math.floor(tick.label.length / 2));
    if (at + tick.label.length > columns) continue;
    if (text !== "" && at < text.length + 1) continue;
    text = text.padEnd(at) + tick.label;
  }
  return text;
}

/** How long ago the span began and ended. */
function ages(chart: Chart, columns: number): string {
  const [begun, ended] = [chart.from, chart.to].map((time) =>
    Math.abs(chart.now - time) < 1_000 ? "now" : ageText(chart.now - time),
  ) as [string, string];
  return begun + pad(ended, Math.max(0, columns - begun.length), "right");
}

/** A line for each series: its name, last value and age, and what it ranged over where there is room. */
function legend(
  chart: Chart,
  shown: ChartSeries[],
  width: number,
  look: ChartLook,
  sign: (pen: number) => string,
): string[] {
  const { terminal } = look;
  const text = (value: number) => valueText(value, chart.unit, chart.metric);
  const ellipsis = (look.ascii ?? !terminal.unicode) ? "." : "…";
  const lines = shown.map(({ name, points }) => {
    const values = points.map(({ value }) => value);
    const last = points.at(-1);
    const fold = (pick: (a: number, b: number) => number) => text(values.reduce(pick));
    const average = text(values.reduce((total, value) => total + value, 0) / values.length);
    return {
      name,
      last: last ? text(last.value) : "",
      age: last ? ageText(Math.max(0, chart.now - last.time)) : "",
      range: `min ${fold((a, b) => Math.min(a, b))}  avg ${average}  max ${fold((a, b) => Math.max(a, b))}`,
    };
  });
  const widest = (key: "name" | "last" | "age" | "range") =>
    Math.max(...lines.map((line) => textWidth(line[key])));
  const SIGN = textWidth(sign(0)) + 1;
  const GAP = 2;
  const least = SIGN + widest("name") + GAP + widest("last");
  const withAge = least + GAP + widest("age") <= width;
  const withRange = withAge && least + 2 * GAP + widest("age") + widest("range") <= width;
  const room = width - (SIGN + GAP + widest("last"));
  const nameWidth = Math.min(widest("name"), Math.max(12, room));
  return lines.map((line, pen) =>
    [
      `${sign(pen)} ${pad(shorten(line.name, nameWidth, ellipsis), nameWidth)}`,
      terminal.paint(pad(line.last, widest("last"), "right"), "bold"),
      ...(withAge ? [terminal.paint(pad(line.age, widest("age")), "dim")] : []),
      ...(withRange ? [terminal.paint(line.range, "dim")] : []),
    ]
      .join(" ".repeat(GAP))
      .trimEnd(),
  );
}
