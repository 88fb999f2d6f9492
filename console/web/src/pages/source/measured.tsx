import { Link } from "wouter";
import { MetricMetadata_KindSchema as KindSchema } from "../../../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { MetricQueryService } from "../../../../../gen/lumetry/v1/metric_query_service_pb.js";
import { PACE } from "../../client/live.ts";
import { usePages } from "../../client/pages.ts";
import { SOURCE_LABEL } from "../../sources/status.tsx";
import { Age } from "../../ui/age.tsx";
import { Empty, Failure } from "../../ui/notice.tsx";
import { Table } from "../../ui/table.tsx";
import { enumWord } from "../../words/counts.ts";
import { equal } from "../../words/labels.ts";

/** The metrics that its polls have brought. */
export function Measured({ sourceId }: { sourceId: string }) {
  const list = usePages(
    MetricQueryService.method.listMetrics,
    { matchers: [equal(SOURCE_LABEL, sourceId)] },
    { pace: PACE.calm },
  );
  const metrics = list.pages.flatMap((page) => page.metrics);
  const explore = (metric: string) =>
    `/explore?metric=${encodeURIComponent(metric)}&match=${encodeURIComponent(`${SOURCE_LABEL}=${sourceId}`)}`;
  return (
    <div className="section">
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <Table
        label="Metrics"
        rows={metrics}
        rowKey={({ metric }) => metric}
        href={({ metric }) => explore(metric)}
        hasMore={list.hasNextPage}
        onMore={list.more}
        columns={[
          {
            title: "Metric",
            width: "34%",
            cell: ({ metric }) => (
              <Link className="cut foreign" href={explore(metric)} tabIndex={-1}>
                {metric}
              </Link>
            ),
          },
          { title: "Kind", width: "12%", cell: ({ kind }) => enumWord(KindSchema, kind) },
          { title: "Unit", rank: 1, width: "12%", cell: ({ unit }) => unit },
          {
            title: "What it is",
            rank: 2,
            cell: ({ description }) => <span className="cut foreign">{description}</span>,
          },
          {
            title: "Last points",
            rank: 1,
            width: "16%",
            cell: ({ lastSeenTime }) => <Age time={lastSeenTime} never="within the hour" />,
          },
        ]}
        empty={
          list.isPending ? undefined : (
            <Empty title="Nothing yet">
              <p>What its polls bring is listed here once the first one is stored.</p>
            </Empty>
          )
        }
      />
    </div>
  );
}
