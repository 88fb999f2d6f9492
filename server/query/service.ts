import { create } from "@bufbuild/protobuf";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import {
  type LabelMatcher,
  type MetricQueryService,
  type QueryRangeRequest,
  QueryRangeResponseSchema,
  StreamRangeResponseSchema,
} from "../../gen/lumetry/v1/metric_query_service_pb.js";
import { makePlaces } from "../../lib/places.ts";
import { matcherConditions } from "../catalog/matchers.ts";
import { type Selection, selectSeries } from "../catalog/selection.ts";
import { findLabels } from "../catalog/store.ts";
import { KEPT_LONGER_MS } from "../chunks/windows.ts";
import { personOf } from "../context.ts";
import type { Parts } from "../routes.ts";
import { checkGrouping, combineSeries, type LabelledSeries } from "./across.ts";
import { makeBudget } from "./budget.ts";
import { catalogMethods, toMetric } from "./catalog.ts";
import { type AnsweredSeries, giveSeries, toPoint, toSeries } from "./encode.ts";
import { findGaps } from "./gaps.ts";
import { keptSince } from "./kept.ts";
import { readLatest } from "./latest.ts";
import { explain, explained } from "./problems.ts";
import { type RangeQuery, readRange } from "./range.ts";
import { InvalidQuery, isStorable, type Span, spanOf, stepOf, TooMuch } from "./rules.ts";
import type { Step } from "./steps.ts";
import { type PointsView, viewPoints } from "./view.ts";

/** More may match: those without points in the span do not count against the answer. */
const MOST_MATCHING = 200_000;
export const MOST_LATEST = 10_000;
const LOOK_BACK_MS = 3_600_000;
const MOST_WAITING = 100;

const MOST_POINTS = 1_000_000;
export const SHOWN = { series: 1_000, points: MOST_POINTS };
const COMBINED = { series: 10_000, points: 4 * MOST_POINTS };
/** Series that are read at once for a stream, and points that one message takes. */
const STREAMED_SERIES = 500;
const STREAMED_POINTS = 20_000;
const STREAM_MS = 60_000;

export function metricQueryService({
  db,
  pool,
  clock,
  settings,
}: Parts): ServiceImpl<typeof MetricQueryService> {
  // Whoever reads much must not keep whoever writes from the database.
  const places = makePlaces(
    Math.max(1, Math.floor(settings.databaseConnections / 4)),
    MOST_WAITING,
  );
  const kept = () =>
    keptSince(clock.now(), {
      points: settings.retention + KEPT_LONGER_MS,
      fiveMinutes: settings.fiveMinuteRetention,
    });

  const select = async (
    workspaceId: string,
    { metric, matchers }: { metric: string; matchers: LabelMatcher[] },
  ): Promise<Selection | undefined> => {
    if (!isStorable(metric)) throw new InvalidQuery("a name or value holds a NUL character");
    const conditions = await matcherConditions(db, workspaceId, metric, matchers);
    const most = { series: MOST_MATCHING + 1, labelled: SHOWN.series };
    const selected = await selectSeries({ db, pool }, workspaceId, metric, conditions, most);
    if (selected && selected.ids.length > MOST_MATCHING) {
      throw new TooMuch(`more than ${MOST_MATCHING} series match; narrow the labels`);
    }
    return selected;
  };

  const view = <Result>(
    workspaceId: string,
    signal: AbortSignal,
    work: (view: PointsView) => Promise<Result>,
  ) => places.take(() => viewPoints(pool, workspaceId, signal, work), signal);

  /** Some of the series that were selected, by age, with their labels. */
  const label = async <Points>(
    workspaceId: string,
    { labels: known, ids }: Selection,
    found: ReadonlyMap<number, Points>,
  ): Promise<{ labels: Record<string, string>; points: Points }[]> => {
    const labels =
      known.size === ids.length ? known : await findLabels(db, workspaceId, [...found.keys()]);
    return [...found]
      .sort(([a], [b]) => a - b)
      .map(([seriesId, points]) => ({ labels: labels.get(seriesId) ?? {}, points }));
  };

  const rangeOf = (request: QueryRangeRequest): { span: Span; step: Step | undefined } => {
    const { aggregation, quantile } = request;
    const step = request.step && { ms: stepOf(request.step), aggregation, quantile };
    return { span: spanOf(request), step };
  };

  return {
    ...catalogMethods(db),

    listLatestValues: (request, context) =>
      explained(async () => {
        const { workspaceId } = personOf(context);
        const nowMs = clock.now();
        const lookBack = request.lookBack ? durationMs(request.lookBack) : LOOK_BACK_MS;
        const selected = await select(workspaceId, request);
        if (!selected) return { series: [] };
        const { metric, ids } = selected;
        const query = {
          seriesIds: new Set(ids),
          nowMs,
          oldestMs: Math.ceil(nowMs - lookBack),
          kept: kept(),
        };
        const latest = await view(workspaceId, context.signal, (open) =>
          readLatest(open, query, makeBudget("look less far back")),
        );
        if (latest.size > MOST_LATEST) {
          throw new TooMuch(`more than ${MOST_LATEST} series have values; narrow the labels`);
        }
        const labelled = await label(workspaceId, selected, latest);
        return {
          metric: toMetric(metric),
          series: labelled.map(({ labels, points: { ms, value } }) =>
            toSeries(metric.metric, labels, [toPoint(ms, value)]),
          ),
        };
      }),

    queryRange: (request, context) =>
      explained(async () => {
        const { workspaceId } = personOf(context);
        const { span, step } = rangeOf(request);
        const { grouping } = request;
        if (grouping) checkGrouping(grouping, step !== undefined);
        const selected = await select(workspaceId, request);
        if (!selected) return { series: [] };
        const { metric, ids } = selected;
        const query: RangeQuery = {
          seriesIds: new Set(ids),
          span,
          step,
          isGauge: metric.kind === "gauge",
          kept: kept(),
        };
        const limits = grouping ? COMBINED : SHOWN;
        const { series: found, resolutionMs } = await view(workspaceId, context.signal, (open) =>
          readRange(open, query, limits, makeBudget("narrow the span")),
        );
        const labelled = await label(workspaceId, selected, found);
        const shown = grouping ? combineSeries(labelled, grouping) : labelled;
        if (shown.length > SHOWN.series) {
          throw new TooMuch(`there are more than ${SHOWN.series} groups; group by fewer labels`);
        }
        const gaps = await findGaps(
          db,
          workspaceId,
          labelled.map(({ labels }) => labels),
          span,
        );
        return giveSeries(
          create(QueryRangeResponseSchema, {
            metric: toMetric(metric),
            gaps,
            ...(resolutionMs > 0 && { resolution: durationFromMs(resolutionMs) }),
          }),
          QueryRangeResponseSchema.field.series.number,
          shown.map(({ labels, points }) => ({
            metric: metric.metric,
            labels,
            points,
            from: 0,
            to: points.count,
          })),
          context,
        );
      }),

    async *streamRange({ query: request }, context) {
      const { workspaceId } = personOf(context);
      if (!request) throw new ConnectError("there is no query", Code.InvalidArgument);
      const signal = AbortSignal.any([context.signal, AbortSignal.timeout(STREAM_MS)]);
      try {
        if (request.grouping) {
          throw new InvalidQuery("StreamRange does not combine series: leave the grouping out");
        }
        const { span, step } = rangeOf(request);
        const selected = await select(workspaceId, request);
        if (!selected) return;
        const { metric, ids, labels } = selected;
        const isGauge = metric.kind === "gauge";
        const query = { span, step, isGauge, kept: kept() };
        const all = labels.size === ids.length ? labels : await findLabels(db, workspaceId, ids);
        yield {
          metric: toMetric(metric),
          gaps: await findGaps(db, workspaceId, all.values(), span),
        };
        yield* heldOpen(view, workspaceId, signal, async function* (open) {
          for (let from = 0; from < ids.length; from += STREAMED_SERIES) {
            const seriesIds = new Set(ids.slice(from, from + STREAMED_SERIES));
            const budget = makeBudget("narrow the span");
            const limits = { series: STREAMED_SERIES, points: 10 * MOST_POINTS };
            const { series } = await readRange(open, { ...query, seriesIds }, limits, budget);
            const sorted = [...series].sort(([a], [b]) => a - b);
            const labelled = sorted.map(([id, points]) => ({ labels: all.get(id) ?? {}, points }));
            for (const series of messagesOf(metric.metric, labelled)) {
              yield giveSeries(
                create(StreamRangeResponseSchema),
                StreamRangeResponseSchema.field.series.number,
                series,
                context,
              );
            }
          }
        });
      } catch (error) {
        if (signal.aborted && !context.signal.aborted) {
          throw new ConnectError(
            "the answer took longer than a minute to be read; ask for less at a time",
            Code.DeadlineExceeded,
          );
        }
        throw explain(error);
      }
    },
  };
}

/** Messages of about the same size: many short series in one, a long one in many. */
function* messagesOf(metric: string, series: readonly LabelledSeries[]) {
  let waiting: AnsweredSeries[] = [];
  let count = 0;
  for (const { labels, points } of series) {
    for (let from = 0; from < points.count; from += STREAMED_POINTS) {
      const to = Math.min(from + STREAMED_POINTS, points.count);
      waiting.push({ metric, labels, points, from, to });
      count += to - from;
      if (count < STREAMED_POINTS) continue;
      yield waiting;
      waiting = [];
      count = 0;
    }
  }
  if (waiting.length > 0) yield waiting;
}

type View = <Result>(
  workspaceId: string,
  signal: AbortSignal,
  work: (view: PointsView) => Promise<Result>,
) => Promise<Result>;

/**
 * What a generator yields while the view is open. It is asked for the next only when the last was
 * taken; the view closes when it ends, or when nobody asks any more.
 */
async function* heldOpen<Item>(
  view: View,
  workspaceId: string,
  signal: AbortSignal,
  read: (open: PointsView) => AsyncGenerator<Item>,
): AsyncGenerator<Item> {
  const opened = Promise.withResolvers<PointsView>();
  const closing = Promise.withResolvers<void>();
  const giveUp = () => closing.reject(signal.reason);
  signal.addEventListener("abort", giveUp, { once: true });
  const viewing = view(workspaceId, signal, async (open) => {
    opened.resolve(open);
    await closing.promise;
  });
  viewing.catch(opened.reject);
  try {
    yield* read(await opened.promise);
  } finally {
    signal.removeEventListener("abort", giveUp);
    closing.resolve();
    await viewing;
  }
}
