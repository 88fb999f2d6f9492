import { durationMs } from "@bufbuild/protobuf/wkt";
import { Link } from "wouter";
import {
  WorkItem_Kind as Kind,
  WorkItem_KindSchema as KindSchema,
  WorkItem_State as State,
  WorkItem_StateSchema as StateSchema,
  type WorkItem,
  WorkQueryService,
} from "../../../../gen/lumetry/v1/work_query_service_pb.js";
import { serverNow } from "../client/clock.ts";
import { useCollectorNames } from "../client/collector-names.ts";
import { PACE } from "../client/live.ts";
import { usePages } from "../client/pages.ts";
import { Age, AgeOf } from "../ui/age.tsx";
import { Empty, Failure, Tag, type Tone } from "../ui/notice.tsx";
import { type Column, Table } from "../ui/table.tsx";
import { Tip } from "../ui/tip.tsx";
import { spanText } from "../words/ages.ts";
import { countText, enumWord } from "../words/counts.ts";

const TONES: Partial<Record<State, Tone>> = {
  [State.CLAIMED]: "good",
  [State.DONE]: "good",
  [State.FAILED]: "bad",
  [State.EXPIRED]: "warn",
};

function Subject({ item }: { item: WorkItem }) {
  const { kind, subjectId, subjectName } = item;
  if (subjectId === "") return <span className="soft">a draft</span>;
  const href =
    kind === Kind.DELIVER
      ? `/channels?tab=deliveries&delivery=${subjectId}`
      : `/sources/${subjectId}`;
  return (
    <Link className="cut foreign" href={href} tabIndex={-1}>
      {subjectName || subjectId}
    </Link>
  );
}

/** How long its lease still lasts, or how late it is. */
function Timing({ item }: { item: WorkItem }) {
  const { state, leaseLeft, lateness, dueTime } = item;
  if (state === State.CLAIMED && leaseLeft) {
    return (
      <span className="nowrap">
        lease ends <AgeOf ms={Math.ceil((serverNow() + durationMs(leaseLeft)) / 1000) * 1000} />
      </span>
    );
  }
  if (lateness && durationMs(lateness) >= 1_000) {
    return <span className="warn">{spanText(durationMs(lateness))} late</span>;
  }
  return <Age time={dueTime} never="" />;
}

/** What is to be done, and who has it: claimed first, then due, then to come. */
export function WorkItems(props: {
  zoneId?: string;
  kinds?: Kind[];
  states?: State[];
  /** Only what this collector has. */
  collectorId?: string;
  empty: string;
}) {
  const { zoneId = "", kinds = [], states = [], collectorId, empty } = props;
  const collectorName = useCollectorNames();
  const list = usePages(
    WorkQueryService.method.listWorkItems,
    { zoneId, kinds, states },
    { pace: PACE.watch },
  );
  const items = list.pages
    .flatMap(({ workItems }) => workItems)
    .filter((item) => collectorId === undefined || item.collectorId === collectorId);
  const columns: Column<WorkItem>[] = [
    { title: "About", width: "24%", cell: (item) => <Subject item={item} /> },
    { title: "Kind", width: "10%", cell: ({ kind }) => enumWord(KindSchema, kind) },
    {
      title: "State",
      width: "12%",
      cell: ({ state }) => <Tag tone={TONES[state] ?? "plain"}>{enumWord(StateSchema, state)}</Tag>,
    },
    { title: "When", width: "20%", cell: (item) => <Timing item={item} /> },
  ];
  if (collectorId === undefined) {
    columns.push({
      title: "Collector",
      rank: 1,
      width: "16%",
      cell: (item) =>
        item.collectorId === "" ? (
          <span className="soft">{item.zoneId === "" ? "this server" : "nobody yet"}</span>
        ) : (
          <Link className="cut foreign" href={`/collectors/${item.collectorId}`} tabIndex={-1}>
            {collectorName(item.collectorId)}
          </Link>
        ),
    });
  }
  columns.push(
    {
      title: "Claimed",
      rank: 2,
      cell: ({ claimTime, fence }) => (
        <Tip text={`Claim number ${countText(fence)}`}>
          <span>
            <Age time={claimTime} never="" />
          </span>
        </Tip>
      ),
    },
    {
      title: "Lapses",
      number: true,
      rank: 2,
      width: "8%",
      cell: ({ lapses }) => <span className={lapses > 0 ? "warn" : "soft"}>{lapses}</span>,
    },
  );
  return (
    <div className="section">
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <Table<WorkItem>
        label="Work"
        rows={items}
        rowKey={({ workId }) => workId}
        hasMore={list.hasNextPage}
        onMore={list.more}
        columns={columns}
        empty={
          list.isPending ? undefined : (
            <Empty title="Nothing">
              <p>{empty}</p>
            </Empty>
          )
        }
      />
    </div>
  );
}
