import { durationMs } from "@bufbuild/protobuf/wkt";
import { Link } from "wouter";
import { CapabilitySchema } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import type { Collector } from "../../../../../gen/lumetry/v1/collector_pb.js";
import { type Source, SourceService } from "../../../../../gen/lumetry/v1/source_service_pb.js";
import { WorkItem_State as State } from "../../../../../gen/lumetry/v1/work_query_service_pb.js";
import { usePages } from "../../client/pages.ts";
import { LastPoll, SourceTag } from "../../sources/status.tsx";
import { Ago } from "../../ui/age.tsx";
import { Empty, Failure } from "../../ui/notice.tsx";
import { Facts, Section } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";
import { countText, enumWord } from "../../words/counts.ts";
import { kindText, msText, targetText } from "../../words/sources.ts";
import { WorkItems } from "../../work/work-items.tsx";
import { useWorkers } from "../../work/workers.ts";

/** What it does for the server inside its zone: its sources, and what it has claimed right now. */
export function WorkTab({ collector }: { collector: Collector }) {
  const { collectorId, zoneId, grantedCapabilities } = collector;
  const workers = useWorkers(zoneId);
  const worker = workers.data?.workers.find((each) => each.collectorId === collectorId);
  const words = (list: number[]) => list.map((each) => enumWord(CapabilitySchema, each)).join(", ");
  return (
    <div className="page">
      {workers.error && <Failure error={workers.error} onRetry={() => workers.refetch()} />}
      <div className="card padded">
        <Facts
          entries={[
            ["Granted", words(grantedCapabilities) || "nothing"],
            ["Asks for", worker && words(worker.capabilities)],
            ["Last asked", <Ago key="asked" age={worker?.lastSeenAge} />],
            [
              "Assignments",
              worker &&
                (worker.live ? (
                  "hold"
                ) : (
                  <span className="warn">have lapsed; others of its zone poll in its place</span>
                )),
            ],
            ["Reports too late to count", worker && countText(worker.staleReports)],
          ]}
        />
      </div>
      <Section title="Claimed now">
        <WorkItems
          zoneId={zoneId}
          states={[State.CLAIMED]}
          collectorId={collectorId}
          empty="It has no poll, test or delivery under way at this moment."
        />
      </Section>
      <Section title="Sources that it polls">
        <Assigned collectorId={collectorId} />
      </Section>
    </div>
  );
}

function Assigned({ collectorId }: { collectorId: string }) {
  const list = usePages(SourceService.method.listSources, { collectorId });
  return (
    <>
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <Table<Source>
        label="Sources that it polls"
        rows={list.pages.flatMap(({ sources }) => sources)}
        rowKey={({ sourceId }) => sourceId}
        href={({ sourceId }) => `/sources/${sourceId}`}
        hasMore={list.hasNextPage}
        onMore={list.more}
        columns={[
          {
            title: "Name",
            width: "24%",
            cell: ({ sourceId, displayName }) => (
              <Link className="cut foreign" href={`/sources/${sourceId}`} tabIndex={-1}>
                {displayName}
              </Link>
            ),
          },
          { title: "Status", width: "14%", cell: ({ status }) => <SourceTag status={status} /> },
          { title: "Kind", rank: 1, width: "14%", cell: ({ settings }) => kindText(settings) },
          {
            title: "Target",
            rank: 2,
            cell: ({ settings }) => <span className="cut foreign">{targetText(settings)}</span>,
          },
          { title: "Polled", cell: (source) => <LastPoll source={source} /> },
          {
            title: "Took",
            number: true,
            width: "10%",
            cell: ({ poll }) => poll?.duration && msText(durationMs(poll.duration)),
          },
        ]}
        empty={
          list.isPending ? undefined : (
            <Empty title="None">
              <p>Sources of its zone are shared out among the collectors that may poll.</p>
            </Empty>
          )
        }
      />
    </>
  );
}
