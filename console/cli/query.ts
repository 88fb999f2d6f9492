import { durationFromMs, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { AgentService } from "../../gen/lumetry/v1/agent_service_pb.js";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import {
  QueryRangeRequest_Aggregation as Aggregation,
  Grouping_Operation as Grouping,
  MetricQueryService,
  LabelMatcher_Operation as Operation,
  type QueryRangeResponse,
  QueryRangeResponseSchema,
} from "../../gen/lumetry/v1/metric_query_service_pb.js";
import { spanText } from "../../lib/age.ts";
import type { Combination } from "./aggregations.ts";
import { drawChart, MOST_SERIES } from "./chart.ts";
import type { Cli } from "./cli.ts";
import type { Connection } from "./connection.ts";
import { usageError } from "./errors.ts";
import { gapLines } from "./gaps.ts";
import type { Matcher } from "./labels.ts";
import { resolveAgent, resolveCollector } from "./resolve.ts";
import { AGENT_LABEL, COLLECTOR_LABEL, nameSeries } from "./series-names.ts";
import { plain } from "./terminal.ts";
import { stepFor } from "./times.ts";

const HOUR_MS = 3_600_000;
/** A chart does not gain from more points than this. */
const MOST_POINTS = 400;
/** Of a combined one, each point should be seen. */
const MOST_COMBINED = 120;

export interface SeriesOptions {
  label?: Matcher[];
  /** Another way to say label. */
  match?: Matcher[];
  collector?: string;
  agent?: string;
}

export interface QueryOptions extends SeriesOptions {
  since?: number;
  from?: number;
  to?: number;
  step?: number | "raw";
  agg?: Combination<Aggregation>;
  rate?: boolean;
  by?: string[];
  group?: Combination<Grouping>;
  ascii?: boolean;
  height?: number;
}

/** The conditions on labels; a collector and an agent are meant by their names. */
export async function matchersOf(
  connection: Connection,
  { label = [], match = [], collector, agent }: SeriesOptions,
): Promise<Matcher[]> {
  const conditions = [...label, ...match];
  const add = (name: string, value: string) =>
    conditions.push({ label: name, operation: Operation.EQUAL, value, values: [] });
  if (collector !== undefined) {
    const id = await resolveCollector(connection.client(CollectorService), collector);
    add(COLLECTOR_LABEL, id);
  }
  if (agent !== undefined) {
    add(AGENT_LABEL, await resolveAgent(connection.client(AgentService), agent));
  }
  return conditions;
}

/** Asks for a metric's points in a span of time, and draws them or prints them as JSON. */
export async function query(cli: Cli, metric: string, options: QueryOptions): Promise<void> {
  const now = cli.now();
  const { from, to } = readRange(options, now);
  const agg = aggregationOf(options);
  const grouping = groupingOf(options);
  const step = chooseStep(options, to - from, cli.json);
  const connection = cli.signedIn();
  const response = await connection.client(MetricQueryService).queryRange({
    metric,
    matchers: await matchersOf(connection, options),
    startTime: timestampFromMs(from),
    endTime: timestampFromMs(to),
    ...(step !== undefined && { step: durationFromMs(step) }),
    ...(agg && { aggregation: agg.operation, quantile: agg.quantile }),
    ...(grouping && { grouping }),
  });
  const named = cli.json
    ? { common: "", names: [] }
    : await nameSeries(connection, response.series);
  cli.answer(QueryRangeResponseSchema, response, () =>
    chartText(cli, metric, response, named, options, { from, to, now, step }),
  );
}

const RATE: Combination<Aggregation> = {
  operation: Aggregation.RATE,
  quantile: 0,
  limit: 0,
  word: "rate",
};

function aggregationOf({ agg, rate }: QueryOptions): Combination<Aggregation> | undefined {
  if (rate && agg && agg.operation !== Aggregation.RATE) {
    throw usageError("Use --rate or --agg, not both.", "--rate is the same as --agg rate.");
  }
  return rate ? RATE : agg;
}

/** Series are averaged in their groups unless told otherwise; without labels, all are one group. */
function groupingOf({ by, group }: QueryOptions) {
  if (by === undefined && group === undefined) return undefined;
  const { operation, quantile, limit } = group ?? {
    operation: Grouping.AVERAGE,
    quantile: 0,
    limit: 0,
  };
  return { operation, quantile, limit, labels: [...new Set(by)] };
}

/** Milliseconds; undefined for points as they were measured. */
function chooseStep(options: QueryOptions, spanMs: number, json: boolean): number | undefined {
  const { step } = options;
  const combines = aggregationOf(options) !== undefined || groupingOf(options) !== undefined;
  if (step === "raw" && combines) {
    throw usageError("To combine points or series takes a step.", "Add for example --step 5m.");
  }
  if (step !== undefined) return step === "raw" ? undefined : step;
  if (combines) return stepFor(spanMs, MOST_COMBINED);
  return json || spanMs <= HOUR_MS ? undefined : stepFor(spanMs, MOST_POINTS);
}

function chartText(
  cli: Cli,
  metric: string,
  response: QueryRangeResponse,
  { common, names }: { common: string; names: string[] },
  options: QueryOptions,
  span: { from: number; to: number; now: number; step: number | undefined },
): string {
  const series = response.series
    .map(({ points }, index) => {
      const plotted = points.map(({ time, value }) => ({
        time: time ? timestampMs(time) : 0,
        value,
      }));
      return {
        name: names[index] || plain(metric),
        points: plotted,
      };
    })
    .filter(({ points }) => points.length > 0);
  if (series.length === 0) {
    return `There are no points of ${plain(metric)} in that time. See what there is with "lumetry metrics list".`;
  }
  const ranked = rank(series);
  const { from, to, step } = span;
  const agg = aggregationOf(options);
  const isDefault = options.since === undefined && options.from === undefined;
  const chart = drawChart(
    {
      ...span,
      metric: plain(metric),
      unit: unitOf(response.metric?.unit ?? "", options),
      notes: [
        step === undefined ? "as measured" : `${agg?.word ?? "average"} over ${spanText(step)}`,
        groupText(options),
        common,
      ],
      lost: response.gaps.map(({ startTime, endTime }) => ({
        from: startTime ? timestampMs(startTime) : 0,
        to: endTime ? timestampMs(endTime) : 0,
      })),
      from: isDefault ? zoom(ranked, from, to) : from,
      series: ranked,
    },
    {
      terminal: cli.terminal,
      ...(options.ascii !== undefined && { ascii: options.ascii }),
      ...(options.height !== undefined && { rows: options.height }),
    },
  );
  const hidden = series.length - MOST_SERIES;
  return [
    chart,
    ...gapLines(response.gaps),
    ...(hidden > 0
      ? [
          `${hidden} more series with lower values are not shown; pick some with --match or --collector, or combine them with --by.`,
        ]
      : []),
  ].join("\n");
}

function groupText({ by, group }: QueryOptions): string {
  if (by === undefined && group === undefined) return "";
  const labels = by === undefined ? "" : ` by ${by.map(plain).join(", ")}`;
  return `${group?.word ?? "average"} of series${labels}`;
}

function unitOf(unit: string, options: QueryOptions): string {
  const operation = aggregationOf(options)?.operation;
  if (options.group?.operation === Grouping.COUNT) return "{series}";
  if (operation === Aggregation.COUNT) return "{point}";
  return operation === Aggregation.RATE ? `${unit}/s` : unit;
}

/** In the order they came, unless there are too many: then the highest. */
function rank<S extends { points: { value: number }[] }>(series: S[]): S[] {
  if (series.length <= MOST_SERIES) return series;
  const mean = ({ points }: S) => points.reduce((sum, { value }) => sum + value, 0) / points.length;
  return series.toSorted((a, b) => mean(b) - mean(a));
}

const LEAST_ZOOM_MS = 300_000;

/** When nobody said since when, a host that is new should not show as a sliver at the end of an hour. */
function zoom(series: { points: { time: number }[] }[], from: number, to: number): number {
  const first = Math.min(...series.map(({ points }) => points[0]?.time ?? to));
  return to - first < (to - from) / 2 ? Math.min(first, to - LEAST_ZOOM_MS) : from;
}

function readRange({ since, from, to }: QueryOptions, now: number) {
  if (since !== undefined && from !== undefined) {
    throw usageError("Use --since or --from, not both.");
  }
  const end = to ?? now;
  const start = from ?? end - (since ?? HOUR_MS);
  if (start >= end) throw usageError("The time to start from is not before the time to end.");
  return { from: start, to: end };
}
