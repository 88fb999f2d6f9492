import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import {
  type Gap,
  type Metric,
  MetricQueryService,
  type QueryRangeRequestSchema,
} from "../../../../gen/lumetry/v1/metric_query_service_pb.js";
import type { RangeSeries } from "./range.ts";
import { transport } from "./transport.ts";

const client = createClient(MetricQueryService, transport);
/** More lines tell nobody anything. */
const MOST_KEPT = 50;
const PROGRESS_EVERY = 500;

export interface LargeRange {
  metric: Metric | undefined;
  gaps: Gap[];
  /** The highest of them, on average. */
  series: RangeSeries[];
  seriesCount: number;
}

const mean = ({ points }: RangeSeries) =>
  points.reduce((sum, { value }) => sum + value, 0) / points.length;

/** Reads an answer of any size bit by bit, and keeps of it what can be drawn. */
export async function readLarge(
  query: MessageInitShape<typeof QueryRangeRequestSchema>,
  signal: AbortSignal,
  onProgress: (series: number) => void,
): Promise<LargeRange> {
  const range: LargeRange = { metric: undefined, gaps: [], series: [], seriesCount: 0 };
  let kept: { series: RangeSeries; mean: number }[] = [];
  let open: RangeSeries | undefined;
  let name = "";
  const close = () => {
    if (!open) return;
    kept.push({ series: open, mean: mean(open) });
    if (kept.length >= MOST_KEPT * 4) kept = highest(kept);
  };
  for await (const response of client.streamRange({ query }, { signal, timeoutMs: 0 })) {
    range.metric ??= response.metric;
    range.gaps.push(...response.gaps);
    for (const { labels, points } of response.series) {
      const more = points.map(({ time, value }) => ({ time: time ? timestampMs(time) : 0, value }));
      const next = JSON.stringify(labels);
      if (open && next === name) {
        // The rest of a long one.
        open.points.push(...more);
        continue;
      }
      close();
      open = { labels, points: more };
      name = next;
      range.seriesCount += 1;
      if (range.seriesCount % PROGRESS_EVERY === 0) onProgress(range.seriesCount);
    }
  }
  close();
  range.series = highest(kept).map(({ series }) => series);
  return range;
}

const highest = <Kept extends { mean: number }>(kept: Kept[]) =>
  kept.toSorted((a, b) => b.mean - a.mean).slice(0, MOST_KEPT);
