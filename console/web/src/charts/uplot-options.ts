import type uPlot from "uplot";
import { tickText } from "../words/moments.ts";
import { scaleOf, threeDigits } from "../words/units.ts";
import { colourOf, inkOf } from "./colours.ts";
import type { Series } from "./points.ts";
import type { Bound, Loss, Pointed } from "./series-chart.tsx";

const FONT = "11px system-ui, sans-serif";
/** Distances of lines that are round in bytes as people read them. */
const BINARY_STEPS = Array.from({ length: 7 }, (_, power) =>
  [1, 2, 5, 10, 20, 50, 100, 200, 500].map((count) => count * 1024 ** power),
).flat();
/** Shorter drags are clicks. */
const LEAST_DRAG_PX = 6;

/** How a chart of ours looks and behaves, in uPlot's terms. */
export function chartOptions(parts: {
  width: number;
  height: number;
  series: Series[];
  metric: string;
  unit: string;
  isDark: boolean;
  group: string | undefined;
  losses: () => Loss[];
  bounds: () => Bound[];
  span: () => [from: number, to: number];
  onZoom: (from: number, to: number) => void;
  onPoint: (pointed: Pointed | undefined) => void;
}): uPlot.Options {
  const { width, height, series, metric, unit, isDark, group } = parts;
  const ink = inkOf(isDark);
  const axis = {
    stroke: ink.text,
    font: FONT,
    grid: { stroke: ink.grid, width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height,
    padding: [8, 18, 0, 0],
    legend: { show: false },
    focus: { alpha: 0.25 },
    cursor: {
      y: false,
      points: { size: 6 },
      drag: { x: true, y: false, setScale: false, dist: LEAST_DRAG_PX },
      ...(group !== undefined && {
        sync: {
          key: group,
          setSeries: false,
          // Only where one points is shared: a span that is chosen counts once.
          filters: { pub: (type) => type === "mousemove" || type === "mouseleave" },
        },
      }),
    },
    scales: {
      x: { time: true, range: () => parts.span() },
      y: { range: (_plot, least, most) => rangeOf(...withBounds(least, most, parts.bounds())) },
    },
    axes: [
      {
        ...axis,
        space: 64,
        size: 26,
        values: (_plot, ticks) => {
          const step = ((ticks[1] ?? 0) - (ticks[0] ?? 0)) * 1000;
          return ticks.map((tick) => tickText(tick * 1000, step));
        },
      },
      {
        ...axis,
        size: 62,
        space: 28,
        ...(/^By/.test(unit) && { incrs: BINARY_STEPS }),
        values: (_plot, ticks) => {
          const { factor, suffix } = scaleOf(Math.max(...ticks.map(Math.abs)), unit, metric);
          return ticks.map((tick) => `${shortly(tick / factor)}${suffix}`);
        },
      },
    ],
    series: [
      {},
      ...series.map((each, index) => ({
        label: each.name,
        stroke: colourOf(index, isDark),
        width: 1.5,
        spanGaps: false,
        points: { show: false },
        ...(series.length === 1 && { fill: `${colourOf(0, isDark)}1a` }),
      })),
    ],
    hooks: {
      drawClear: [(plot) => drawLosses(plot, parts.losses(), ink.lost)],
      draw: [
        (plot) => drawLonely(plot, isDark),
        (plot) => drawBounds(plot, parts.bounds(), ink.bound),
      ],
      setSelect: [
        (plot) => {
          const { left, width: wide } = plot.select;
          if (wide < LEAST_DRAG_PX) return;
          const from = plot.posToVal(left, "x") * 1000;
          const to = plot.posToVal(left + wide, "x") * 1000;
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          parts.onZoom(Math.round(from), Math.round(to));
        },
      ],
      setCursor: [
        (plot) => {
          const { idx, left = -1 } = plot.cursor;
          if (idx === null || idx === undefined || left < 0) return parts.onPoint(undefined);
          const time = plot.data[0][idx];
          if (time === undefined) return parts.onPoint(undefined);
          parts.onPoint({
            left: left + plot.bbox.left / devicePixelRatio,
            width: plot.width,
            time: time * 1000,
            values: plot.data.slice(1).map((values) => values[idx]),
          });
        },
      ],
    },
  };
}

/** What is marked is in sight, whatever the values are. */
function withBounds(
  least: number | null,
  most: number | null,
  bounds: Bound[],
): [number | null, number | null] {
  const values = bounds.map(({ value }) => value);
  if (values.length === 0) return [least, most];
  return [
    Math.min(least ?? Number.POSITIVE_INFINITY, ...values),
    Math.max(most ?? Number.NEGATIVE_INFINITY, ...values),
  ];
}

/** Never a line on the edge, and zero at the bottom unless all values are far from it. */
function rangeOf(least: number | null, most: number | null): [number, number] {
  if (least === null || most === null) return [0, 1];
  if (least === most) {
    const room = Math.abs(most) || 1;
    return least >= 0 ? [0, most + room * 0.25 || 1] : [least - room * 0.25, 0];
  }
  const room = (most - least) * 0.08;
  const isNearZero = least >= 0 && least < (most - least) * 2;
  return [isNearZero ? 0 : least - room, most + room];
}

const shortly = (value: number) => threeDigits(Number(value.toPrecision(6)));

function drawLosses(plot: uPlot, losses: Loss[], colour: string): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = colour;
  for (const { from, to } of losses) {
    const left = Math.max(bbox.left, plot.valToPos(from / 1000, "x", true));
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(to / 1000, "x", true));
    if (right > left) ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
  }
  ctx.restore();
}

function drawBounds(plot: uPlot, bounds: Bound[], colour: string): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  for (const { value, isSoft } of bounds) {
    const y = Math.round(plot.valToPos(value, "y", true));
    ctx.setLineDash((isSoft ? [2, 4] : [6, 4]).map((length) => length * devicePixelRatio));
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

/** A point between two gaps has no line: it gets a dot, or nobody would see it. */
function drawLonely(plot: uPlot, isDark: boolean): void {
  const { ctx } = plot;
  ctx.save();
  plot.data.slice(1).forEach((values, index) => {
    ctx.fillStyle = colourOf(index, isDark);
    let before: number | null | undefined = null;
    for (let at = 0; at < values.length; at += 1) {
      const value = values[at];
      if (value === undefined) continue;
      if (typeof value === "number" && before === null && nextOf(values, at) === null) {
        const x = plot.valToPos(plot.data[0][at] ?? 0, "x", true);
        const y = plot.valToPos(value, "y", true);
        ctx.beginPath();
        ctx.arc(x, y, 2 * devicePixelRatio, 0, 2 * Math.PI);
        ctx.fill();
      }
      before = value;
    }
  });
  ctx.restore();
}

function nextOf(values: ArrayLike<number | null | undefined>, at: number): number | null {
  for (let next = at + 1; next < values.length; next += 1) {
    const value = values[next];
    if (value !== undefined) return value;
  }
  return null;
}
