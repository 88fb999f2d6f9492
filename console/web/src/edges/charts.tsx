import { Link } from "wouter";
import { lossesOf } from "../charts/losses.ts";
import { type Loss, SeriesChart } from "../charts/series-chart.tsx";
import { SpanPicker, useSpan } from "../charts/span-picker.tsx";
import { serverNow } from "../client/clock.ts";
import { type Span, useRange } from "../client/range.ts";
import { Section } from "../ui/page.tsx";
import { equal, labelsText } from "../words/labels.ts";
import { useDrops } from "./calls.ts";
import { type Edge, idOf, labelOf } from "./words.tsx";

const HOUR_MS = 3_600_000;

/** What a host is asked first: is it busy, is it full, is it alive. */
const SHOWN: { title: string; metric: string }[] = [
  { title: "CPU in use", metric: "system.cpu.utilization" },
  { title: "Load, 1 minute", metric: "system.cpu.load_average.1m" },
  { title: "Memory in use", metric: "system.memory.utilization" },
  { title: "File systems in use", metric: "system.filesystem.utilization" },
  { title: "Network", metric: "system.network.io" },
  { title: "Disks", metric: "system.disk.io" },
];

export function Charts({ edge }: { edge: Edge }) {
  const picked = useSpan();
  const { drops } = useDrops(edge);
  const losses = lossesOf(drops);
  return (
    <Section title="Measured on its host" actions={<SpanPicker picked={picked} />}>
      <div className="halves">
        {SHOWN.map(({ title, metric }) => (
          <HostChart
            key={metric}
            title={title}
            metric={metric}
            label={labelOf(edge)}
            id={idOf(edge)}
            span={picked.span}
            losses={losses}
            onZoom={picked.zoom}
          />
        ))}
      </div>
    </Section>
  );
}

function HostChart(props: {
  title: string;
  metric: string;
  label: string;
  id: string;
  span: Span;
  losses: Loss[];
  onZoom: (from: number, to: number) => void;
}) {
  const { title, metric, label, id, span, losses, onZoom } = props;
  const { data, isPending } = useRange({
    metric,
    matchers: [equal(label, id)],
    span,
  });
  const now = serverNow();
  const series = (data?.series ?? []).map(({ labels, points }) => {
    const { [label]: _own, ...rest } = labels;
    return { name: labelsText(rest), points };
  });
  const explore = `/explore?metric=${metric}&match=${encodeURIComponent(`${label}=${id}`)}`;
  return (
    <div className="card chart">
      <div className="chart-head">
        <h3>{title}</h3>
        <Link className="soft" href={explore} aria-label={`Explore ${title}`}>
          Explore
        </Link>
      </div>
      <SeriesChart
        label={`${title} of this host`}
        metric={metric}
        unit={data?.unit ?? ""}
        height={150}
        series={series}
        from={data?.from ?? now - HOUR_MS}
        to={data?.to ?? now}
        stepMs={data?.stepMs}
        losses={losses}
        group="edge"
        isLoading={isPending}
        onZoom={onZoom}
      />
    </div>
  );
}
