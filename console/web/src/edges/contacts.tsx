import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Age, useTicking } from "../ui/age.tsx";
import { Empty, Failure } from "../ui/notice.tsx";
import { Table } from "../ui/table.tsx";
import { spanText } from "../words/ages.ts";
import { countText } from "../words/counts.ts";
import { clockText, useTimeZone } from "../words/moments.ts";
import { useContacts } from "./calls.ts";
import type { Edge } from "./words.tsx";

const DAY_MS = 86_400_000;
/** In milliseconds since 1970. */
type Heard = readonly [startMs: number, endMs: number];

/** When it was heard of, and when it was silent. */
export function Contacts({ edge }: { edge: Edge }) {
  const { list, contacts } = useContacts(edge);
  useTimeZone();
  const heard = contacts.map(
    ({ startTime, endTime }): Heard => [
      startTime ? timestampMs(startTime) : 0,
      endTime ? timestampMs(endTime) : 0,
    ],
  );
  /** Newest first; nothing is known of the time before the last. */
  const silences = heard.map(([start], index) => {
    const earlier = heard[index + 1];
    return earlier && start - earlier[1];
  });
  const rows = contacts.map((contact, index) => ({ ...contact, index }));
  return (
    <div className="section">
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <LastDay heard={heard} />
      <Table
        label="When it was heard of"
        rows={rows}
        rowKey={({ startTime }) => `${startTime?.seconds} ${startTime?.nanos}`}
        hasMore={list.hasNextPage}
        onMore={list.more}
        columns={[
          {
            title: "From",
            cell: ({ index }) => (
              <span className="two-lines">{clockText(heard[index]?.[0] ?? 0)}</span>
            ),
          },
          {
            title: "To",
            cell: ({ index }) => (
              <span className="two-lines">{clockText(heard[index]?.[1] ?? 0)}</span>
            ),
          },
          {
            title: "Last heartbeat",
            rank: 2,
            cell: ({ endTime }) => <Age time={endTime} never="" />,
          },
          {
            title: "For",
            rank: 1,
            cell: ({ index }) => spanText((heard[index]?.[1] ?? 0) - (heard[index]?.[0] ?? 0)),
          },
          {
            title: "Heartbeats",
            number: true,
            rank: 1,
            cell: ({ heartbeats }) => countText(heartbeats),
          },
          {
            title: "Before that",
            cell: ({ index }) => {
              const silence = silences[index];
              return silence === undefined ? (
                ""
              ) : (
                <span className="two-lines">{spanText(silence)} of silence</span>
              );
            },
          },
        ]}
        empty={
          list.isPending ? undefined : (
            <Empty title="No heartbeat yet">
              <p>
                It sends one every few seconds. When three in a row are missing it counts as silent,
                and a new line begins here once it is back.
              </p>
            </Empty>
          )
        }
      />
    </div>
  );
}

/** The last day as a strip: what is empty is silence. Of the time before the oldest, nothing is known. */
function LastDay({ heard }: { heard: readonly Heard[] }) {
  // Even when nothing comes any more, as time goes on it moves.
  const now = useTicking(heard[0]?.[1] ?? 0);
  const begin = now - DAY_MS;
  const inSight = heard.filter(([, end]) => end > begin);
  const oldest = heard.at(-1)?.[0] ?? now;
  const unknown = Math.max(0, oldest - begin);
  const share = (ms: number) => `${(100 * ms) / DAY_MS}%`;
  const total = inSight.reduce((sum, [start, end]) => sum + end - Math.max(start, begin), 0);
  return (
    <div>
      <div
        className="last-day"
        role="img"
        aria-label={
          unknown === DAY_MS
            ? "Nothing is known of the last 24 hours"
            : `Heard of for ${spanText(total)} of the last ${spanText(DAY_MS - unknown)}`
        }
      >
        {unknown > 0 && <span className="unknown" style={{ left: 0, width: share(unknown) }} />}
        {inSight.map(([start, end]) => (
          <span
            key={start}
            style={{
              left: `min(${share(Math.max(start, begin) - begin)}, 100% - 2px)`,
              width: share(end - Math.max(start, begin)),
            }}
          />
        ))}
      </div>
      <div className="last-day-ends soft">
        <span>24 hours ago</span>
        <span>now</span>
      </div>
    </div>
  );
}
