import { Button, Segments } from "../../ui/button.tsx";
import { CopyButton } from "../../ui/copy.tsx";
import { Choice } from "../../ui/field.tsx";
import { Empty } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { spanText } from "../../words/ages.ts";
import { aggregationWords, combinationText, groupingWords } from "../../words/combinations.ts";
import { useTimeZone } from "../../words/moments.ts";
import { SPANS, useAsked } from "./asked.ts";
import { Catalog } from "./catalog.tsx";
import { GroupLabels, Matchers } from "./matchers.tsx";
import { MetricPanel } from "./metric-panel.tsx";
import { Moments } from "./moments.tsx";

const STEPS = [0, 10, 60, 300, 3_600, 86_400].map((seconds) => seconds * 1000);
const stepsWith = (own: number | undefined) =>
  own === undefined || STEPS.includes(own) ? STEPS : [...STEPS, own];

/** The catalog on one side, and what was chosen from it, drawn over one span of time. */
export default function Metrics() {
  const query = useAsked();
  const { asked } = query;
  const metric = asked.metrics[0] ?? "";
  useTimeZone();
  return (
    <Page
      title="Metrics"
      name="Metrics"
      actions={<CopyButton text={location.href} label="Copy link" />}
    >
      <div className="explorer">
        <Catalog chosen={asked.metrics} onToggle={query.toggleMetric} />
        <div className="page">
          <div className="toolbar">
            <Segments
              label="Time shown"
              value={asked.last}
              options={SPANS}
              onChange={query.setLast}
            />
            <Moments span={asked.span} onChange={query.zoom} />
            {asked.last === "" && (
              <Button size="small" onClick={() => query.setLast("3600")}>
                Back to now
              </Button>
            )}
          </div>
          <div className="toolbar">
            <Choice
              label="How points are combined in each step"
              value={asked.agg}
              options={[
                { value: "", label: "Points: as suits" },
                ...aggregationWords(asked.agg).map((word) => ({
                  value: word,
                  label: `Points: ${combinationText(word)}`,
                })),
              ]}
              onChange={query.setAggregation}
            />
            <Choice
              label="Step"
              value={asked.stepMs ?? -1}
              options={[
                { value: -1, label: "Step: automatic" },
                ...stepsWith(asked.stepMs).map((ms) => ({
                  value: ms,
                  label: `Step: ${ms === 0 ? "as measured" : spanText(ms)}`,
                })),
              ]}
              onChange={(ms) => query.setStep(ms < 0 ? undefined : ms)}
            />
            <Choice
              label="How series are combined"
              value={asked.group}
              options={[
                { value: "", label: "Series: each" },
                ...groupingWords(asked.group).map((word) => ({
                  value: word,
                  label: `Series: ${combinationText(word)}`,
                })),
              ]}
              onChange={query.setGroup}
            />
            {asked.group !== "" && (
              <GroupLabels metric={metric} labels={asked.by} onChange={query.setBy} />
            )}
          </div>
          <div className="toolbar">
            <Matchers metric={metric} matchers={asked.matchers} onChange={query.setMatchers} />
          </div>
          {asked.metrics.length === 0 && (
            <div className="card">
              <Empty title="Choose a metric">
                <p>
                  The catalog lists all that was ever measured. Choose several to see them over one
                  another; drag over a chart to look closer; copy the link to share what you see.
                </p>
              </Empty>
            </div>
          )}
          {asked.metrics.map((each) => (
            <MetricPanel
              key={each}
              metric={each}
              asked={asked}
              onZoom={query.zoom}
              onClose={() => query.toggleMetric(each)}
              onMatch={(matcher) => query.setMatchers([...asked.matchers, matcher])}
            />
          ))}
        </div>
      </div>
    </Page>
  );
}
