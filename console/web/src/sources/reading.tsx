import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Reading } from "../../../../gen/lumetry/source/v1/reading_pb.js";
import { colourOf } from "../charts/colours.ts";
import { useTheme } from "../frame/theme.ts";
import { Notice } from "../ui/notice.tsx";
import { Facts } from "../ui/page.tsx";
import { Table } from "../ui/table.tsx";
import { counted } from "../words/counts.ts";
import { labelsText } from "../words/labels.ts";
import { msText } from "../words/sources.ts";

/** What a poll or a test came to: the verdict, where the time went, and what was read. */
export function ReadingView({ reading }: { reading: Reading }) {
  const took = reading.duration ? ` in ${msText(durationMs(reading.duration))}` : "";
  const samples = reading.series.flatMap(({ metric, labels, points }) =>
    points.map(({ value }, index) => ({ key: `${metric} ${index}`, metric, labels, value })),
  );
  return (
    <div className="section">
      {reading.up ? (
        <Notice tone="good">It answered as it should{took}.</Notice>
      ) : (
        <Notice tone="bad">
          <p className="strong">It did not answer as it should{took}.</p>
          <p className="foreign">{reading.failure}</p>
        </Notice>
      )}
      <Phases phases={reading.phases} />
      <Facts
        entries={Object.entries(reading.facts).map(([name, value]): [string, string] => [
          name,
          value,
        ])}
      />
      {samples.length > 0 && (
        <>
          <p className="soft">{counted(samples.length, "sample")}; nothing of it was stored.</p>
          <Table
            label="Samples"
            rows={samples.map((sample, index) => ({ ...sample, key: `${index}` }))}
            rowKey={({ key }) => key}
            columns={[
              {
                title: "Metric",
                cell: ({ metric }) => <span className="cut foreign">{metric}</span>,
              },
              {
                title: "Labels",
                rank: 1,
                cell: ({ labels }) => <span className="cut foreign">{labelsText(labels)}</span>,
              },
              {
                title: "Value",
                number: true,
                width: "28%",
                cell: ({ value }) => String(value),
              },
            ]}
          />
        </>
      )}
    </div>
  );
}

/** How long each part of a poll took, to scale. */
export function Phases({ phases }: { phases: Reading["phases"] }) {
  const { isDark } = useTheme();
  const parts = phases.map(({ name, duration }) => ({
    name,
    ms: duration ? durationMs(duration) : 0,
  }));
  const total = parts.reduce((sum, { ms }) => sum + ms, 0);
  if (parts.length === 0) return null;
  return (
    <div className="phases">
      <div className="phase-bar" aria-hidden="true">
        {parts.map(({ name, ms }, index) => (
          <span
            key={name}
            style={{
              flexGrow: total > 0 ? ms / total : 1,
              background: colourOf(index, isDark),
            }}
          />
        ))}
      </div>
      <ul className="phase-names">
        {parts.map(({ name, ms }, index) => (
          <li key={name}>
            <span className="swatch" style={{ background: colourOf(index, isDark) }} />
            <span className="foreign">{name.replaceAll("_", " ")}</span> {msText(ms)}
          </li>
        ))}
      </ul>
    </div>
  );
}
