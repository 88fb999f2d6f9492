import { SeriesChart } from "../../charts/series-chart.tsx";
import { SpanPicker, useSpan } from "../../charts/span-picker.tsx";
import { serverNow } from "../../client/clock.ts";
import { Failure } from "../../ui/notice.tsx";
import { Section } from "../../ui/page.tsx";
import { downTimes, usePollHistory } from "./poll-history.ts";

const HOUR_MS = 3_600_000;

/** How long it took to answer, and when it did not. */
export function PollCharts({ sourceId }: { sourceId: string }) {
  const picked = useSpan();
  const { ups, durations, took, up } = usePollHistory(sourceId, picked.span);
  const now = serverNow();
  const { from = now - HOUR_MS, to = now } = took.data ?? {};
  const share = ups.reduce((sum, { value }) => sum + value, 0) / ups.length;
  const error = up.error ?? took.error;
  return (
    <Section title="Time to answer" actions={<SpanPicker picked={picked} />}>
      {error && <Failure error={error} onRetry={() => took.refetch()} />}
      <div className="card chart">
        <p className="soft">
          {ups.length > 0 &&
            `Up ${(100 * share).toFixed(share === 1 ? 0 : 2)}% of the polls; red where it was down, a gap where none was reported`}
        </p>
        <SeriesChart
          label="Time to answer, and when it was down"
          metric="poll.duration"
          unit="s"
          height={190}
          series={[{ name: "time to answer", points: durations }]}
          from={from}
          to={to}
          stepMs={took.data?.stepMs}
          losses={downTimes(ups, to)}
          isLoading={took.isPending}
          onZoom={picked.zoom}
        />
      </div>
    </Section>
  );
}
