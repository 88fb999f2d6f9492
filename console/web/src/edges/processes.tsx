import { Age } from "../ui/age.tsx";
import { Empty } from "../ui/notice.tsx";
import { Table } from "../ui/table.tsx";
import { countText } from "../words/counts.ts";
import type { Edge } from "./words.tsx";

/** The runs of its program, as its heartbeats tell them. */
export function Processes({ edge }: { edge: Edge }) {
  return (
    <div className="section">
      <p className="soft">
        Each start of the program is a process of its own, known by its heartbeats. The last 20 are
        kept.
      </p>
      <Table
        label="Processes"
        rows={edge.processes}
        rowKey={({ processId }) => processId}
        columns={[
          { title: "Host", cell: ({ hostname }) => <span className="foreign">{hostname}</span> },
          { title: "Address", rank: 1, cell: ({ address }) => address },
          { title: "Version", rank: 2, cell: ({ version }) => version },
          { title: "First seen", cell: ({ firstSeenTime }) => <Age time={firstSeenTime} /> },
          { title: "Last seen", cell: ({ lastSeenTime }) => <Age time={lastSeenTime} /> },
          {
            title: "Heartbeats",
            number: true,
            rank: 1,
            cell: ({ sequence }) => countText(sequence),
          },
          {
            title: "Process",
            rank: 3,
            cell: ({ processId }) => <code className="cut">{processId}</code>,
          },
        ]}
        empty={
          <Empty title="No heartbeat yet">
            <p>It is shown here as soon as it has been started on its host.</p>
          </Empty>
        }
      />
    </div>
  );
}
