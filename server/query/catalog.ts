import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { MetricMetadata_Kind } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import type { MetricQueryService } from "../../gen/lumetry/v1/metric_query_service_pb.js";
import { matcherConditions } from "../catalog/matchers.ts";
import * as store from "../catalog/store.ts";
import { personOf } from "../context.ts";
import type { Database } from "../db/database.ts";
import { afterNumber, cutPage, readPage } from "../page.ts";
import { notFound } from "../problem.ts";
import { explained } from "./problems.ts";
import { InvalidQuery, isStorable } from "./rules.ts";

const MOST_SENDERS = 100;

const KINDS = {
  unspecified: MetricMetadata_Kind.UNSPECIFIED,
  gauge: MetricMetadata_Kind.GAUGE,
  counter: MetricMetadata_Kind.COUNTER,
};

type Described = Omit<store.MetricRow, "last_seen_at"> & Partial<store.MetricRow>;

export const toMetric = (row: Described) => ({
  metric: row.metric,
  kind: KINDS[row.kind],
  unit: row.unit,
  description: row.description,
  seriesCount: row.series_count,
  firstSeenTime: timestampFromDate(row.first_seen_at),
  ...(row.last_seen_at && { lastSeenTime: timestampFromDate(row.last_seen_at) }),
});

/** The part of the service that tells what there is. */
export function catalogMethods(
  db: Database,
): Pick<
  ServiceImpl<typeof MetricQueryService>,
  "listMetrics" | "getMetric" | "listSeries" | "listLabels" | "listLabelValues"
> {
  return {
    listMetrics: (request, context) =>
      explained(async () => {
        const { workspaceId } = personOf(context);
        const page = readPage(request, 1);
        if (!isStorable(request.nameContains)) return { metrics: [] };
        const conditions = await matcherConditions(db, workspaceId, undefined, request.matchers);
        const found = await store.listMetrics(
          db,
          workspaceId,
          page,
          request.nameContains,
          conditions,
        );
        const { rows, nextPageToken } = cutPage(found, page, (row) => [row.metric]);
        return { metrics: rows.map(toMetric), nextPageToken };
      }),

    async getMetric({ metric }, context) {
      const { workspaceId } = personOf(context);
      const row = isStorable(metric) && (await store.findMetric(db, workspaceId, metric));
      if (!row) throw notFound("metric", metric);
      const senders = await store.listSenders(db, workspaceId, metric, MOST_SENDERS);
      return {
        metric: toMetric(row),
        senders: senders.map((sender) => ({
          senderId: sender.sender_id,
          displayName: sender.display_name,
          lastSeenTime: timestampFromDate(sender.last_seen_at),
        })),
      };
    },

    listSeries: (request, context) =>
      explained(async () => {
        const { workspaceId } = personOf(context);
        const { metric, matchers } = request;
        if (!isStorable(metric)) throw new InvalidQuery("a name or value holds a NUL character");
        const page = readPage(request, 1);
        const conditions = await matcherConditions(db, workspaceId, metric, matchers);
        const found = await store.listSeries(db, workspaceId, metric, conditions, {
          size: page.size,
          after: afterNumber(page),
        });
        const { rows, nextPageToken } = cutPage(found, page, (row) => [String(row.series_id)]);
        return {
          series: rows.map((row) => ({
            metric,
            labels: row.labels,
            firstSeenTime: timestampFromDate(row.first_seen_at),
            ...(row.last_seen_at && { lastSeenTime: timestampFromDate(row.last_seen_at) }),
            archived: row.archived_at !== null,
          })),
          nextPageToken,
        };
      }),

    async listLabels(request, context) {
      const { workspaceId } = personOf(context);
      const page = readPage(request, 1);
      requireStorable(request.metric, request.nameContains);
      const found = await store.listLabels(db, workspaceId, page, request);
      const { rows, nextPageToken } = cutPage(found, page, (row) => [row.label]);
      return {
        labels: rows.map((row) => ({
          label: row.label,
          valueCount: row.value_count,
          seriesCount: row.series_count,
        })),
        nextPageToken,
      };
    },

    async listLabelValues(request, context) {
      const { workspaceId } = personOf(context);
      const page = readPage(request, 1);
      requireStorable(request.metric, request.label, request.valueContains);
      const found = await store.listLabelValues(db, workspaceId, page, request);
      const { rows, nextPageToken } = cutPage(found, page, (row) => [row.value]);
      return {
        values: rows.map((row) => ({ value: row.value, seriesCount: row.series_count })),
        nextPageToken,
      };
    },
  };
}

function requireStorable(...texts: string[]): void {
  if (texts.every(isStorable)) return;
  throw new ConnectError("a name or value holds a NUL character", Code.InvalidArgument);
}
