import { Link } from "wouter";
import { CapabilitySchema } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import type { Worker } from "../../../../../gen/lumetry/v1/work_query_service_pb.js";
import { useZones } from "../../client/zones.ts";
import { Ago } from "../../ui/age.tsx";
import { Empty, Failure, Tag } from "../../ui/notice.tsx";
import { Table } from "../../ui/table.tsx";
import { countText, enumWord } from "../../words/counts.ts";
import { useWorkers } from "../../work/workers.ts";

/** Who asks for work, for what, and how much each has. */
export function Workers({ zoneId }: { zoneId: string }) {
  const { nameOf } = useZones();
  const { data, error, isPending, refetch } = useWorkers(zoneId);
  return (
    <div className="section">
      {error && <Failure error={error} onRetry={() => refetch()} />}
      <Table<Worker>
        label="Collectors that ask for work"
        rows={data?.workers ?? []}
        rowKey={({ collectorId }) => collectorId}
        href={({ collectorId }) => `/collectors/${collectorId}?tab=work`}
        columns={[
          {
            title: "Collector",
            width: "20%",
            cell: ({ collectorId, displayName }) => (
              <Link
                className="cut foreign"
                href={`/collectors/${collectorId}?tab=work`}
                tabIndex={-1}
              >
                {displayName}
              </Link>
            ),
          },
          {
            title: "Assignments",
            width: "14%",
            cell: ({ live }) => (
              <Tag tone={live ? "good" : "warn"}>{live ? "hold" : "have lapsed"}</Tag>
            ),
          },
          {
            title: "Last asked",
            cell: ({ lastSeenAge }) => <Ago age={lastSeenAge} />,
          },
          {
            title: "Zone",
            rank: 2,
            cell: (worker) => <span className="cut foreign">{nameOf(worker.zoneId)}</span>,
          },
          {
            title: "May",
            rank: 3,
            width: "20%",
            cell: ({ capabilities }) => (
              <span className="cut">
                {capabilities.map((each) => enumWord(CapabilitySchema, each)).join(", ")}
              </span>
            ),
          },
          {
            title: "Sources",
            number: true,
            width: "9%",
            cell: ({ assignedSources }) => countText(assignedSources),
          },
          {
            title: "Claimed",
            number: true,
            rank: 1,
            width: "9%",
            cell: ({ claimedItems }) => countText(claimedItems),
          },
          {
            title: "Too late",
            number: true,
            rank: 2,
            width: "9%",
            cell: ({ staleReports }) => countText(staleReports),
          },
        ]}
        empty={
          isPending ? undefined : (
            <Empty title="Nobody asks for work">
              <p>
                A collector asks for work once it is granted a capability for it, on its page under
                Actions.
              </p>
            </Empty>
          )
        }
      />
    </div>
  );
}
