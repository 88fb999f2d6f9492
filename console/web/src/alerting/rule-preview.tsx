import { fromJsonString, toJsonString } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { callUnaryMethod } from "@connectrpc/connect-query";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import {
  RuleSettings_Direction as Direction,
  type RuleSettings,
  RuleSettingsSchema,
} from "../../../../gen/lumetry/v1/rule_pb.js";
import {
  type PreviewRuleResponse,
  RuleService,
} from "../../../../gen/lumetry/v1/rule_service_pb.js";
import { type Bound, SeriesChart } from "../charts/series-chart.tsx";
import { serverNow } from "../client/clock.ts";
import { useSenderNames } from "../client/sender-names.ts";
import { transport } from "../client/transport.ts";
import { AgeOf } from "../ui/age.tsx";
import { Segments } from "../ui/button.tsx";
import { Failure } from "../ui/notice.tsx";
import { Section } from "../ui/page.tsx";
import { useSettled } from "../ui/settled.tsx";
import { spanText } from "../words/ages.ts";
import { counted } from "../words/counts.ts";
import { labelsText, splitLabels, withNames } from "../words/labels.ts";

const HOUR_MS = 3_600_000;
const SPANS = [
  { value: "1", label: "1 h" },
  { value: "24", label: "24 h" },
  { value: "168", label: "7 d" },
] as const;
type Hours = (typeof SPANS)[number]["value"];
const MOST_EPISODES = 8;

/** The bounds that a value must not pass, to be drawn. */
function boundsOf(settings: RuleSettings): Bound[] {
  const { condition } = settings;
  if (condition.case === "threshold") {
    const { value, recoveryValue } = condition.value;
    return [
      { value, isSoft: false },
      ...(recoveryValue === undefined ? [] : [{ value: recoveryValue, isSoft: true }]),
    ];
  }
  if (condition.case === "rateOfChange")
    return [{ value: condition.value.perSecond, isSoft: false }];
  return [];
}

const isBelow = ({ condition }: RuleSettings) =>
  (condition.case === "threshold" || condition.case === "rateOfChange") &&
  condition.value.direction === Direction.BELOW;

/** What a preview is about, without what does not change it. */
const previewKey = (settings: RuleSettings | undefined) =>
  settings &&
  toJsonString(RuleSettingsSchema, {
    ...settings,
    displayName: "a rule",
    runbookUrl: "",
    labels: {},
    disabled: false,
  });

/** What a rule would have done with what is stored: how often it would have fired, and on what. */
export function RulePreview({ settings }: { settings: RuleSettings | undefined }) {
  const [hours, setHours] = useState<Hours>("24");
  const key = useSettled(previewKey(settings), 400);
  const { data, error, isFetching, refetch } = useQuery({
    queryKey: ["preview", key, hours],
    queryFn: async ({ signal }) => {
      const to = serverNow();
      const from = to - Number(hours) * HOUR_MS;
      const asked = fromJsonString(RuleSettingsSchema, key ?? "{}");
      const answer = await callUnaryMethod(
        transport,
        RuleService.method.previewRule,
        { settings: asked, startTime: timestampFromMs(from), endTime: timestampFromMs(to) },
        { signal },
      );
      return { answer, asked, from, to };
    },
    enabled: key !== undefined,
    placeholderData: keepPreviousData,
    retry: false,
    staleTime: 60_000,
  });
  return (
    <Section
      title="What it would have done"
      actions={
        <Segments<Hours> label="Time looked at" value={hours} options={SPANS} onChange={setHours} />
      }
    >
      {key === undefined && (
        <p className="soft">
          Once it is said what is looked at and when it is wrong, you see here how often that would
          have been so.
        </p>
      )}
      {error && key !== undefined && <Failure error={error} onRetry={() => refetch()} />}
      {data && key !== undefined && !error && (
        <div aria-busy={isFetching} className="section">
          <Verdict {...data} />
        </div>
      )}
    </Section>
  );
}

/** What is new should not show as a sliver at the end of a long time. */
function zoomedFrom(series: { points: { time: number }[] }[], from: number, to: number): number {
  const first = Math.min(...series.map(({ points }) => points[0]?.time ?? to));
  return to - first < (to - from) / 2 ? Math.min(first, to - HOUR_MS / 12) : from;
}

function Verdict(props: {
  answer: PreviewRuleResponse;
  asked: RuleSettings;
  from: number;
  to: number;
}) {
  const { answer, asked, to } = props;
  const { episodes, values, firingCount, seriesCount, groupCount } = answer;
  const nameOf = useSenderNames();
  const shown = (labels: Record<string, string>) => withNames(labels, nameOf);
  const { common, names } = splitLabels(values.map(({ labels }) => shown(labels)));
  const series = values.map(({ points }, index) => ({
    name: names[index] || labelsText(common) || asked.metric,
    points: points.map(({ time, value }) => ({ time: time ? timestampMs(time) : 0, value })),
  }));
  const from = zoomedFrom(series, props.from, to);
  const losses = episodes.map(({ fireTime, startTime, resolveTime, labels }) => ({
    from: timestampMs(fireTime ?? startTime ?? timestampFromMs(from)),
    to: resolveTime ? timestampMs(resolveTime) : to,
    reason: `it would have fired${Object.keys(labels).length > 0 ? `: ${labelsText(shown(labels))}` : ""}`,
  }));
  const more = Number(firingCount) - MOST_EPISODES;
  return (
    <>
      <p>
        <span className={firingCount > 0n ? "warn strong" : "good strong"}>
          {firingCount === 0n
            ? "It would not have fired"
            : `It would have fired ${counted(firingCount, "time")}`}
        </span>
        <span className="soft">
          , looking at {seriesCount === 1n ? "1 series" : `${seriesCount} series`}
          {groupCount !== seriesCount && ` in ${counted(groupCount, "group")}`}
        </span>
      </p>
      <div className="card chart">
        <SeriesChart
          label="What was judged, and when it would have fired"
          metric={asked.metric}
          unit=""
          height={220}
          series={series}
          from={from}
          to={to}
          losses={losses}
          bounds={boundsOf(asked)}
        />
        <p className="soft">
          The dashed line is the bound
          {isBelow(asked) ? ", below which it is wrong" : ", above which it is wrong"}; red is when
          it would have fired.
        </p>
      </div>
      <ol className="timeline card">
        {episodes
          .slice(0, MOST_EPISODES)
          .map(({ labels, fireTime, resolveTime, summary }, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: they are in order and never moved
            <li key={index}>
              <span className="dot bad" aria-hidden="true" />
              <div>
                <p>
                  {fireTime && <AgeOf ms={timestampMs(fireTime)} />}
                  <span className="soft">
                    {fireTime && resolveTime
                      ? `, for ${spanText(timestampMs(resolveTime) - timestampMs(fireTime))}`
                      : ", still"}
                  </span>{" "}
                  <span className="foreign">{labelsText(shown(labels))}</span>
                </p>
                <p className="soft foreign">{summary}</p>
              </div>
            </li>
          ))}
        {more > 0 && (
          <li>
            <span />
            <span className="soft">and {more} more</span>
          </li>
        )}
      </ol>
    </>
  );
}
