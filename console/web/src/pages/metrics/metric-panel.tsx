import { useMemo, useRef, useState } from "react";
import { QueryRangeRequest_Aggregation as Aggregation } from "../../../../../gen/lumetry/v1/metric_query_service_pb.js";
import { lossesOf } from "../../charts/losses.ts";
import { type Loss, SeriesChart } from "../../charts/series-chart.tsx";
import { serverNow } from "../../client/clock.ts";
import { type Range, type RangeRequest, useRange } from "../../client/range.ts";
import { useSenderNames } from "../../client/sender-names.ts";
import { Button, IconButton } from "../../ui/button.tsx";
import { Menu, MenuItem } from "../../ui/menu.tsx";
import { Failure } from "../../ui/notice.tsx";
import { say, sayFailure } from "../../ui/toast.tsx";
import { spanText } from "../../words/ages.ts";
import { combinationText, readAggregation, readGrouping } from "../../words/combinations.ts";
import { countText } from "../../words/counts.ts";
import { labelsText, type Matcher, splitLabels, withNames } from "../../words/labels.ts";
import { clockText } from "../../words/moments.ts";
import { unitName } from "../../words/units.ts";
import type { Asked } from "./asked.ts";
import { saveCsv, saveLargeCsv, savePng } from "./export.ts";
import { Legend } from "./legend.tsx";

/** More lines than this tell nobody anything; the others are in the export. */
const MOST_DRAWN = 50;
const HOUR_MS = 3_600_000;

export function MetricPanel(props: {
  metric: string;
  asked: Asked;
  onZoom: (from: number, to: number) => void;
  onClose: () => void;
  onMatch: (matcher: Matcher) => void;
}) {
  const { metric, asked, onZoom, onClose, onMatch } = props;
  const request = requestOf(metric, asked);
  const [read, setRead] = useState(0);
  const { data, error, isPending, isFetching, refetch } = useRange(request, setRead);
  const canvas = useRef<HTMLCanvasElement>(undefined);
  const [focus, setFocus] = useState<number>();
  const nameOf = useSenderNames();
  const drawn = useMemo(() => rank(data), [data]);
  const { common, names } = splitLabels(drawn.map(({ labels }) => withNames(labels, nameOf)));
  const series = drawn.map(({ points }, index) => ({ name: names[index] || metric, points }));
  const now = serverNow();
  const hidden = (data?.seriesCount ?? 0) - drawn.length;
  const isLarge = data !== undefined && data.seriesCount > data.series.length;
  const unit = data?.unit ?? "";

  return (
    <section className="card chart" aria-label={metric}>
      <div className="chart-head">
        <div>
          <h2>{metric}</h2>
          <p className="soft">
            {[
              data?.metric?.description,
              unitName(unit),
              data && howText(data, asked),
              labelsText(common),
            ]
              .filter(Boolean)
              .join(" · ")}
          </p>
        </div>
        <div className="actions">
          <Menu trigger={<IconButton icon="more" label={`Export ${metric}`} />}>
            <MenuItem
              disabled={!data}
              onClick={() => {
                if (isLarge) void saveLarge(request);
                else if (data) saveCsv(metric, data);
              }}
            >
              Save as CSV
            </MenuItem>
            <MenuItem onClick={() => canvas.current && savePng(metric, canvas.current)}>
              Save as PNG
            </MenuItem>
          </Menu>
          <IconButton icon="close" label={`Close ${metric}`} onClick={onClose} />
        </div>
      </div>
      {error && <Failure error={error} onRetry={() => refetch()} />}
      <SeriesChart
        label={`${metric} over time`}
        metric={metric}
        unit={unit}
        height={230}
        series={series}
        from={data?.from ?? now - HOUR_MS}
        to={data?.to ?? now}
        stepMs={data?.stepMs}
        losses={lossesOf(data?.gaps ?? [], nameOf)}
        group="explorer"
        focus={focus}
        isLoading={isPending}
        onZoom={onZoom}
        onReady={(drawing) => {
          canvas.current = drawing;
        }}
      />
      {isFetching && !data && read > 0 && (
        <p className="soft" role="status">
          {countText(read)} series are read…
        </p>
      )}
      {hidden > 0 && (
        <p className="soft">
          {countText(hidden)} more series with lower values are not drawn; narrow the labels,
          combine them, or save them as CSV.
          {isLarge && (
            <>
              {" "}
              So large an answer is not asked for again by itself.{" "}
              <Button size="small" busy={isFetching} onClick={() => refetch()}>
                Ask again
              </Button>
            </>
          )}
        </p>
      )}
      <Losses losses={lossesOf(data?.gaps ?? [], nameOf)} />
      {series.length > 0 && (
        <Legend
          series={series}
          labels={drawn.map(({ labels }) => labels)}
          metric={metric}
          unit={unit}
          onFocus={setFocus}
          onMatch={onMatch}
          common={splitLabels(drawn.map(({ labels }) => labels)).common}
        />
      )}
    </section>
  );
}

/** What is said on the page, as it is asked of the server. */
function requestOf(
  metric: string,
  { matchers, span, agg, group, by, stepMs }: Asked,
): RangeRequest {
  const grouping = readGrouping(group);
  return {
    metric,
    matchers,
    span,
    aggregation: readAggregation(agg),
    grouping: grouping && { ...grouping, labels: by },
    stepMs,
  };
}

/** How what is drawn was made of what was measured. */
function howText({ stepMs, aggregation, resolutionMs }: Range, { agg, group, by }: Asked): string {
  if (stepMs === undefined) return "as measured";
  const word = agg || (aggregation === Aggregation.RATE ? "rate" : "avg");
  return [
    `${combinationText(word)} over ${spanText(stepMs)}`,
    group !== "" && `${combinationText(group)} of the series`,
    group !== "" && by.length > 0 && `by ${by.join(", ")}`,
    resolutionMs && resolutionMs > stepMs && `kept in steps of ${spanText(resolutionMs)}`,
  ]
    .filter(Boolean)
    .join(", ");
}

async function saveLarge(request: RangeRequest): Promise<void> {
  say("The series are read one by one, and saved when all have come.");
  await saveLargeCsv(request, new AbortController().signal).catch(sayFailure);
}

const MOST_LOSSES = 4;

/** Why there are gaps, in words for whoever does not point at them. */
function Losses({ losses }: { losses: Loss[] }) {
  const more = losses.length - MOST_LOSSES;
  return (
    <>
      {losses.slice(0, MOST_LOSSES).map(({ from, to, reason }) => (
        <p key={`${from} ${to} ${reason}`} className="warn foreign">
          {clockText(from)} to {clockText(to)}: {reason}.
        </p>
      ))}
      {more > 0 && <p className="warn">And {countText(more)} more losses, shown in the chart.</p>}
    </>
  );
}

/** In the order they came, unless there are too many: then the highest. */
function rank(data: Range | undefined): Range["series"] {
  const series = (data?.series ?? []).filter(({ points }) => points.length > 0);
  if (series.length <= MOST_DRAWN) return series;
  const mean = ({ points }: Range["series"][number]) =>
    points.reduce((sum, { value }) => sum + value, 0) / points.length;
  return series.toSorted((a, b) => mean(b) - mean(a)).slice(0, MOST_DRAWN);
}
