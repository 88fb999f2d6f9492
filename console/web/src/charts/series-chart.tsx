import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import { useTheme } from "../frame/theme.ts";
import { clockText, useTimeZone } from "../words/moments.ts";
import { unitName, valueText } from "../words/units.ts";
import { colourOf } from "./colours.ts";
import { type Series, withGaps } from "./points.ts";
import { chartOptions } from "./uplot-options.ts";

/** A span in which points were lost, and why. */
export interface Loss {
  from: number;
  to: number;
  reason: string;
}

/** A value that is marked across the chart. */
export interface Bound {
  value: number;
  /** Of less weight than another. */
  isSoft: boolean;
}

const MOST_IN_TIP = 8;

/**
 * Series over time. Where nothing was measured there is a gap, never a line. Dragging chooses a span;
 * charts of one `group` share the moment that is pointed at.
 */
export function SeriesChart(props: {
  /** What it shows, for those who do not see it. */
  label: string;
  metric: string;
  unit: string;
  series: Series[];
  from: number;
  to: number;
  stepMs?: number | undefined;
  height?: number;
  losses?: Loss[];
  bounds?: Bound[];
  group?: string;
  /** The index of one series that stands out. */
  focus?: number | undefined;
  isLoading?: boolean;
  onZoom?: (from: number, to: number) => void;
  onReady?: (canvas: HTMLCanvasElement) => void;
}) {
  const { label, metric, unit, series, from, to, stepMs, height = 200, losses, group } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const { isDark } = useTheme();
  const { zone } = useTimeZone();
  const [tip, setTip] = useState<Pointed>();

  const shape = `${series.map(({ name }) => name).join("\n")} ${unit} ${metric} ${isDark} ${zone} ${height} ${group}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: drawn anew when its shape changes, fed otherwise
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const width = Math.max(element.clientWidth, 80);
    const options = chartOptions({
      width,
      height,
      series,
      metric,
      unit,
      isDark,
      group,
      losses: () => latest.current.losses ?? [],
      bounds: () => latest.current.bounds ?? [],
      span: () => [latest.current.from / 1000, latest.current.to / 1000],
      onZoom: (start, end) => latest.current.onZoom?.(start, end),
      onPoint: setTip,
    });
    const made = new uPlot(options, dataOf(series, stepMs), element);
    plot.current = made;
    latest.current.onReady?.(made.ctx.canvas);
    const observer = new ResizeObserver(() => {
      const now = element.clientWidth;
      if (now > 0 && now !== made.width) made.setSize({ width: now, height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [shape]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: what the chart is fed with
  useEffect(() => {
    const made = plot.current;
    if (!made || made.series.length !== series.length + 1) return;
    made.setData(dataOf(series, stepMs), false);
    made.setScale("x", { min: from / 1000, max: to / 1000 });
    made.redraw();
  }, [series, from, to, stepMs, losses, props.bounds]);

  useEffect(() => {
    plot.current?.setSeries(
      props.focus === undefined ? (null as unknown as number) : props.focus + 1,
      { focus: true },
    );
  }, [props.focus]);

  const isEmpty = series.every(({ points }) => points.length === 0);
  return (
    // The height is there before the chart is, so that nothing moves.
    <div className="chart-body" style={{ height }} role="img" aria-label={label}>
      <div ref={box} />
      {isEmpty && (
        <div className="chart-none">
          {props.isLoading ? "" : "Nothing was measured in this time"}
        </div>
      )}
      <Pointer
        tip={tip}
        series={series}
        metric={metric}
        unit={unit}
        isDark={isDark}
        losses={losses}
      />
    </div>
  );
}

function dataOf(series: Series[], stepMs: number | undefined): uPlot.AlignedData {
  const tables = series.map(
    ({ points }) => withGaps(points, stepMs) as unknown as uPlot.AlignedData,
  );
  if (tables.length === 0) return [[]] as unknown as uPlot.AlignedData;
  // A null stays a gap; where only others have a point, the line goes on.
  return uPlot.join(
    tables,
    tables.map(() => [1, 2]),
  );
}

/** What is pointed at: where in the box, when, and the value of each series there. */
export interface Pointed {
  left: number;
  width: number;
  time: number;
  values: (number | null | undefined)[];
}

function Pointer(props: {
  tip: Pointed | undefined;
  series: Series[];
  metric: string;
  unit: string;
  isDark: boolean;
  losses: Loss[] | undefined;
}) {
  const { tip, series, metric, unit, isDark, losses } = props;
  if (!tip) return null;
  const present = tip.values
    .map((value, index) => ({ value, index }))
    .filter((each): each is { value: number; index: number } => typeof each.value === "number")
    .sort((a, b) => b.value - a.value);
  const lost = losses?.find(({ from, to }) => tip.time >= from && tip.time <= to);
  const isRight = tip.left > tip.width / 2;
  return (
    <div
      className="chart-tip"
      data-shown
      style={{
        transform: `translate(${isRight ? `calc(${tip.left - 12}px - 100%)` : `${tip.left + 12}px`}, 8px)`,
      }}
    >
      <div className="soft">{clockText(tip.time)}</div>
      {present.slice(0, MOST_IN_TIP).map(({ value, index }) => (
        <div key={index} className="cut">
          <span className="swatch" style={{ background: colourOf(index, isDark) }} />
          <span className="strong">
            {valueText(value, unit, metric)} {unitName(unit)}
          </span>{" "}
          {series.length > 1 && <span className="foreign">{series[index]?.name}</span>}
        </div>
      ))}
      {present.length > MOST_IN_TIP && (
        <div className="soft">and {present.length - MOST_IN_TIP} more</div>
      )}
      {present.length === 0 && <div>{lost ? lost.reason : "nothing was measured"}</div>}
      {present.length > 0 && lost && <div className="bad">{lost.reason}</div>}
    </div>
  );
}
