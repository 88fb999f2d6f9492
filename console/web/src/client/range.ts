import { durationFromMs, durationMs, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import {
  MetricMetadata_Kind as Kind,
  type TimeSeries,
} from "../../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import {
  QueryRangeRequest_Aggregation as Aggregation,
  type Gap,
  Grouping_Operation as Grouping,
  type Metric,
  MetricQueryService,
} from "../../../../gen/lumetry/v1/metric_query_service_pb.js";
import { type Point, stepFor } from "../charts/points.ts";
import type { Combination } from "../words/combinations.ts";
import type { Matcher } from "../words/labels.ts";
import { serverNow } from "./clock.ts";
import { readLarge } from "./large-range.ts";
import { every, queryClient } from "./live.ts";
import { transport } from "./transport.ts";

const client = createClient(MetricQueryService, transport);

/** A span that ends now and moves along, or one between two moments. Milliseconds. */
export type Span = { lastMs: number } | { from: number; to: number };

export interface RangeRequest {
  metric: string;
  matchers: Matcher[];
  span: Span;
  /** Chosen to suit the metric unless given: the rate of counters, the average of all else. */
  aggregation?: Combination<Aggregation> | undefined;
  /** Makes one series of many. */
  grouping?: (Combination<Grouping> & { labels: string[] }) | undefined;
  /** Chosen to suit the span unless given; 0 for points as they were measured. */
  stepMs?: number | undefined;
}

export interface RangeSeries {
  labels: Record<string, string>;
  points: Point[];
}

export interface Range {
  metric: Metric | undefined;
  /** With "/s" where changes are shown in place of totals. */
  unit: string;
  aggregation: Aggregation;
  from: number;
  to: number;
  stepMs: number | undefined;
  series: RangeSeries[];
  /** Of so many series those above are the highest. */
  seriesCount: number;
  /** What was measured and lost. */
  gaps: Gap[];
  /** The longest steps that some of it was made of, when not of points. */
  resolutionMs: number | undefined;
}

const MOST_POINTS = 400;
const RAW_UP_TO_MS = 3_600_000;
const FASTEST_MS = 5_000;
const KNOWN_MS = 300_000;

/** What the catalog says of a metric; undefined when it knows none of that name. */
function describe(metric: string): Promise<Metric | null> {
  return queryClient.fetchQuery({
    queryKey: ["metric", metric],
    queryFn: async ({ signal }) => {
      try {
        return (await client.getMetric({ metric }, { signal })).metric ?? null;
      } catch (error) {
        if (error instanceof ConnectError && error.code === Code.NotFound) return null;
        throw error;
      }
    },
    // What is new is described soon; what is known hardly changes.
    staleTime: ({ state }) => (state.data ? KNOWN_MS : 0),
  });
}

/** What is asked of the server, with all that was left open decided. */
async function settle(request: RangeRequest) {
  const { metric, matchers, span, grouping, aggregation } = request;
  const length = "lastMs" in span ? span.lastMs : span.to - span.from;
  const isCounter = (await describe(metric))?.kind === Kind.COUNTER;
  const isRaw =
    request.stepMs === 0 ||
    (request.stepMs === undefined &&
      !aggregation &&
      !grouping &&
      !isCounter &&
      length <= RAW_UP_TO_MS);
  const operation =
    aggregation?.operation ?? (isCounter && !isRaw ? Aggregation.RATE : Aggregation.UNSPECIFIED);
  const stepMs = isRaw ? 0 : request.stepMs || stepFor(length, MOST_POINTS);
  const now = serverNow();
  const to = "lastMs" in span ? now : span.to;
  const from = "lastMs" in span ? now - span.lastMs : span.from;
  const query = {
    metric,
    matchers,
    // A step that is begun is asked for whole, so that its value does not jump while it moves out.
    startTime: timestampFromMs(stepMs > 0 ? Math.floor(from / stepMs) * stepMs : Math.floor(from)),
    endTime: timestampFromMs(Math.ceil(to)),
    ...(stepMs > 0 && {
      step: durationFromMs(stepMs),
      aggregation: operation,
      quantile: aggregation?.quantile ?? 0,
      ...(grouping && { grouping }),
    }),
  };
  return { query, from, to, stepMs, operation };
}

async function ask(
  request: RangeRequest,
  signal: AbortSignal,
  onProgress: (series: number) => void,
): Promise<Range> {
  const { query, from, to, stepMs, operation } = await settle(request);
  const answer = await client.queryRange(query, { signal }).catch((error: unknown) => {
    const isLarge = error instanceof ConnectError && error.code === Code.ResourceExhausted;
    // What is too much for one answer comes bit by bit; to combine it, it has to be less.
    if (!isLarge || request.grouping) throw error;
    return readLarge(query, signal, onProgress);
  });
  const series = "seriesCount" in answer ? answer.series : answer.series.map(seriesOf);
  return {
    metric: answer.metric,
    unit: unitOf(answer.metric?.unit ?? "", operation, request.grouping?.operation),
    aggregation: operation,
    from,
    to,
    stepMs: stepMs || undefined,
    series,
    seriesCount: "seriesCount" in answer ? answer.seriesCount : series.length,
    gaps: answer.gaps,
    resolutionMs:
      "resolution" in answer && answer.resolution ? durationMs(answer.resolution) : undefined,
  };
}

function unitOf(unit: string, operation: Aggregation, grouping: Grouping | undefined): string {
  if (grouping === Grouping.COUNT) return "{series}";
  if (operation === Aggregation.COUNT) return "{point}";
  return operation === Aggregation.RATE ? `${unit}/s` : unit;
}

const seriesOf = ({ labels, points }: TimeSeries): RangeSeries => ({
  labels,
  points: points.map(({ time, value }) => ({ time: time ? timestampMs(time) : 0, value })),
});

/** All of an answer, a series at a time, however large it is. */
export async function* everySeries(request: RangeRequest, signal: AbortSignal) {
  const { query } = await settle(request);
  if (request.grouping) {
    const { series } = await client.queryRange(query, { signal });
    yield* series.map(seriesOf);
    return;
  }
  const responses = client.streamRange({ query }, { signal, timeoutMs: 0 });
  for await (const { series } of responses) yield* series.map(seriesOf);
}

/** The points of a metric; a span that ends now is asked for again as it moves. */
export function useRange(request: RangeRequest, onProgress: (series: number) => void = () => {}) {
  const { lastMs } = { lastMs: undefined, ...request.span };
  return useQuery({
    queryKey: ["range", request],
    queryFn: ({ signal }) => ask(request, signal, onProgress),
    placeholderData: keepPreviousData,
    refetchInterval: (query) =>
      lastMs === undefined || isLarge(query.state.data)
        ? false
        : every(Math.max(FASTEST_MS, Math.min(60_000, lastMs / 400)))(query),
  });
}

/** So large that it is asked for again only when somebody wants it to be. */
const isLarge = (range: Range | undefined) =>
  range !== undefined && range.seriesCount > range.series.length;
