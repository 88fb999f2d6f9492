import { type KeyboardEvent, useRef, useState } from "react";
import { MetricMetadata_KindSchema as KindSchema } from "../../../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { MetricQueryService } from "../../../../../gen/lumetry/v1/metric_query_service_pb.js";
import { PACE } from "../../client/live.ts";
import { usePages } from "../../client/pages.ts";
import { Button } from "../../ui/button.tsx";
import { SearchField } from "../../ui/field.tsx";
import { Failure } from "../../ui/notice.tsx";
import { useSettled } from "../../ui/settled.tsx";
import { counted, enumWord } from "../../words/counts.ts";

/** All that was ever measured, by name. */
export function Catalog(props: { chosen: string[]; onToggle: (metric: string) => void }) {
  const { chosen, onToggle } = props;
  const [search, setSearch] = useState("");
  const nameContains = useSettled(search.trim());
  const list = usePages(
    MetricQueryService.method.listMetrics,
    { nameContains },
    { pace: PACE.calm },
  );
  const metrics = list.pages.flatMap(({ metrics }) => metrics);
  const box = useRef<HTMLDivElement>(null);

  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const items = [...(box.current?.querySelectorAll("button") ?? [])];
    const at = items.indexOf(document.activeElement as HTMLButtonElement);
    items[Math.max(0, Math.min(items.length - 1, at + step))]?.focus();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: arrow keys go along the buttons within
    <div className="card catalog" onKeyDown={onKeyDown}>
      <SearchField label="Search the catalog" value={search} onChange={setSearch} />
      <div ref={box} className="catalog-list">
        {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
        {metrics.map(({ metric, unit, kind, seriesCount, description }) => (
          <button
            key={metric}
            type="button"
            className="catalog-item"
            aria-pressed={chosen.includes(metric)}
            title={description || undefined}
            onClick={() => onToggle(metric)}
          >
            {metric}
            <small>
              {[
                enumWord(KindSchema, kind),
                unit,
                counted(seriesCount, "series").replace("seriess", "series"),
              ]
                .filter(Boolean)
                .join(" · ")}
            </small>
          </button>
        ))}
        {list.hasNextPage && (
          <Button kind="quiet" onClick={list.more} busy={list.isFetchingNextPage}>
            More
          </Button>
        )}
        {!list.isPending && metrics.length === 0 && (
          <p className="padded soft">
            {nameContains === ""
              ? "Nothing was measured yet. Start a collector, or write points with an ingestion key."
              : "No metric is called so."}
          </p>
        )}
      </div>
    </div>
  );
}
