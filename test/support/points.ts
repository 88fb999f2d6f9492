import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import {
  MetricsService,
  type TimeSeries,
  type TimeSeriesSchema,
} from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { IngestionKeyService } from "../../gen/lumetry/v1/ingestion_key_service_pb.js";
import { MetricQueryService } from "../../gen/lumetry/v1/metric_query_service_pb.js";
import type { TestServer } from "./server.ts";

/** Somebody with an ingestion key. */
export interface TestSender {
  metrics: Client<typeof MetricsService>;
  keyId: string;
  secret: string;
}

export async function addSender(
  server: TestServer,
  adminToken: string,
  labels: Record<string, string> = {},
): Promise<TestSender> {
  const { ingestionKey, secret } = await server
    .client(IngestionKeyService, adminToken)
    .createIngestionKey({ displayName: "a gateway", labels });
  return {
    metrics: server.client(MetricsService, secret),
    keyId: ingestionKey?.ingestionKeyId ?? "",
    secret,
  };
}

/** A series as it is sent; times in ms since 1970. */
export function seriesOf(
  metric: string,
  labels: Record<string, string>,
  ...points: [ms: number, value: number][]
): MessageInitShape<typeof TimeSeriesSchema> {
  return {
    metric,
    labels,
    points: points.map(([ms, value]) => ({ time: timestampFromMs(ms), value })),
  };
}

/** A series as it was answered. */
export function shown({ labels, points }: TimeSeries) {
  return {
    labels,
    points: points.map(({ time, value }) => [time && timestampMs(time), value]),
  };
}

/** All raw points of a metric in a span, all of time unless told otherwise. */
export async function pointsOf(
  server: TestServer,
  token: string,
  metric: string,
  startMs = 0,
  endMs = 253_402_300_799_000,
) {
  const { series } = await server.client(MetricQueryService, token).queryRange({
    metric,
    startTime: timestampFromMs(startMs),
    endTime: timestampFromMs(endMs),
  });
  return series.map(shown);
}
