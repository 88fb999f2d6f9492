import { SpanPicker, useSpan } from "../../charts/span-picker.tsx";
import { AgeOf } from "../../ui/age.tsx";
import { Empty, Failure, Tag } from "../../ui/notice.tsx";
import { Section } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";
import { spanText } from "../../words/ages.ts";
import { counted } from "../../words/counts.ts";
import { clockText } from "../../words/moments.ts";
import { msText } from "../../words/sources.ts";
import { usePollHistory } from "./poll-history.ts";
import { rowsOf } from "./poll-rows.ts";

/** Each poll with a result, newest first, and the times for which there is none. */
export function Polls({ sourceId }: { sourceId: string }) {
  const picked = useSpan();
  const { ups, durations, up } = usePollHistory(sourceId, picked.span, true);
  const rows = rowsOf(ups, durations);
  return (
    <Section title="Polls" actions={<SpanPicker picked={picked} />}>
      {up.error && <Failure error={up.error} onRetry={() => up.refetch()} />}
      <Table
        label="Polls"
        rows={rows}
        rowKey={({ time, gapMs }) => `${time} ${gapMs ?? ""}`}
        columns={[
          {
            title: "Scheduled for",
            rank: 1,
            width: "30%",
            cell: ({ time }) => <span className="nowrap">{clockText(time)}</span>,
          },
          { title: "Age", cell: ({ time }) => <AgeOf ms={time} /> },
          {
            title: "Outcome",
            cell: ({ isUp, gapMs }) =>
              gapMs === undefined ? (
                <Tag tone={isUp ? "good" : "bad"}>{isUp ? "up" : "down"}</Tag>
              ) : (
                <span className="warn">nothing for {spanText(gapMs)}</span>
              ),
          },
          {
            title: "Took",
            number: true,
            width: "20%",
            cell: ({ tookMs }) => tookMs !== undefined && msText(tookMs),
          },
        ]}
        empty={
          up.isPending ? undefined : (
            <Empty title="No poll in this time">
              <p>Each poll is listed here with its outcome as soon as it is reported.</p>
            </Empty>
          )
        }
      />
      <div className="table-foot">{ups.length > 0 && counted(ups.length, "poll")}</div>
    </Section>
  );
}
