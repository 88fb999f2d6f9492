import { timestampMs } from "@bufbuild/protobuf/wkt";
import { QueueHealth_Drop_ReasonSchema as ReasonSchema } from "../../../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { Age } from "../ui/age.tsx";
import { Empty, Failure } from "../ui/notice.tsx";
import { Table } from "../ui/table.tsx";
import { countText, enumWord } from "../words/counts.ts";
import { clockText } from "../words/moments.ts";
import { useDrops } from "./calls.ts";
import type { Edge } from "./words.tsx";

/** The ledger of what its queue has lost. */
export function Drops({ edge }: { edge: Edge }) {
  const { list, drops: rows } = useDrops(edge);
  const at = (time: (typeof rows)[number]["startTime"]) =>
    time ? <span className="nowrap">{clockText(timestampMs(time))}</span> : "";
  return (
    <div className="section">
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <Table
        label="What its queue has lost"
        rows={rows}
        rowKey={({ dropId, startTime }) => `${dropId} ${startTime?.seconds}`}
        hasMore={list.hasNextPage}
        onMore={list.more}
        columns={[
          { title: "From", cell: ({ startTime }) => at(startTime) },
          { title: "To", cell: ({ endTime }) => at(endTime) },
          { title: "Age", rank: 1, cell: ({ endTime }) => <Age time={endTime} never="" /> },
          { title: "Points", number: true, cell: ({ points }) => countText(points) },
          { title: "Reason", cell: ({ reason }) => enumWord(ReasonSchema, reason) },
        ]}
        empty={
          list.isPending ? undefined : (
            <Empty title="Nothing was lost">
              <p>
                When the server is away for so long that the queue is full, the oldest points give
                way; what was lost is listed here and shown on charts.
              </p>
            </Empty>
          )
        }
      />
    </div>
  );
}
