import { durationMs } from "@bufbuild/protobuf/wkt";
import { Link } from "wouter";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import {
  type Source,
  SourceService,
  Source_Status as Status,
} from "../../../../../gen/lumetry/v1/source_service_pb.js";
import { useCollectorNames } from "../../client/collector-names.ts";
import { usePages } from "../../client/pages.ts";
import { useSelf } from "../../client/session.tsx";
import { useZones } from "../../client/zones.ts";
import { LastPoll, SourceTag } from "../../sources/status.tsx";
import { useAddressed } from "../../ui/addressed.tsx";
import { Button, Segments } from "../../ui/button.tsx";
import { Chip } from "../../ui/chip.tsx";
import { Choice } from "../../ui/field.tsx";
import { Icon } from "../../ui/icon.tsx";
import { Empty, Failure } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { ListSearch, useListSearch } from "../../ui/search.tsx";
import { Table } from "../../ui/table.tsx";
import { counted } from "../../words/counts.ts";
import { kindText, msText, targetText } from "../../words/sources.ts";

const SHOWN = {
  all: [],
  troubled: [Status.DOWN, Status.LATE, Status.UNASSIGNED],
  up: [Status.UP],
  paused: [Status.PAUSED],
};
type Shown = keyof typeof SHOWN;
const LABELS: Record<Shown, string> = {
  all: "All",
  troubled: "Need attention",
  up: "Up",
  paused: "Paused",
};

export default function Sources() {
  const self = useSelf();
  const { zones, nameOf } = useZones();
  const collectorName = useCollectorNames();
  const { get, set } = useAddressed();
  const shown = (Object.hasOwn(SHOWN, get("show")) ? get("show") : "all") as Shown;
  const search = useListSearch();
  const zoneId = get("zone");
  const collectorId = get("collector");
  const list = usePages(SourceService.method.listSources, {
    search,
    zoneId,
    collectorId,
    statuses: SHOWN[shown],
  });
  const rows = list.pages.flatMap(({ sources }) => sources);
  const total = list.pages[0]?.totalSize ?? 0n;
  const isFiltered = shown !== "all" || search !== "" || zoneId !== "" || collectorId !== "";
  const add = self.may(Role.OPERATOR) && (
    <Link className="button" data-kind="main" href="/sources/new">
      <Icon name="plus" size={14} />
      Add a source
    </Link>
  );
  return (
    <Page
      title="Sources"
      name="Sources"
      lead="What the collectors of a zone read at an interval: exporters, addresses, ports, names, certificates, databases."
      actions={add}
    >
      <div className="toolbar">
        <ListSearch label="Search by name, target or id" />
        <Segments<Shown>
          label="Which are shown"
          value={shown}
          options={(Object.keys(SHOWN) as Shown[]).map((value) => ({
            value,
            label: LABELS[value],
          }))}
          onChange={(value) => set({ show: value === "all" ? "" : value }, true)}
        />
        {zones.length > 1 && (
          <Choice
            label="Zone"
            value={zoneId}
            options={[
              { value: "", label: "All zones" },
              ...zones.map((zone) => ({ value: zone.zoneId, label: zone.displayName })),
            ]}
            onChange={(zone) => set({ zone }, true)}
          />
        )}
        {collectorId !== "" && (
          <Chip
            text={`polled by ${collectorName(collectorId)}`}
            remove="Polled by any collector"
            onRemove={() => set({ collector: "" }, true)}
          />
        )}
      </div>
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <div>
        <Table<Source>
          label="Sources"
          rows={rows}
          rowKey={({ sourceId }) => sourceId}
          href={({ sourceId }) => `/sources/${sourceId}`}
          total={Number(total)}
          hasMore={list.hasNextPage}
          onMore={list.more}
          columns={[
            {
              title: "Name",
              width: "19%",
              cell: ({ sourceId, displayName }) => (
                <Link className="cut foreign" href={`/sources/${sourceId}`} tabIndex={-1}>
                  {displayName}
                </Link>
              ),
            },
            {
              title: "Status",
              width: "12%",
              cell: ({ status }) => <SourceTag status={status} />,
            },
            {
              title: "Kind",
              rank: 2,
              width: "12%",
              cell: ({ settings }) => kindText(settings),
            },
            {
              title: "Target",
              rank: 1,
              width: "23%",
              cell: ({ settings }) => <span className="cut foreign">{targetText(settings)}</span>,
            },
            { title: "Polled", width: "13%", cell: (source) => <LastPoll source={source} /> },
            {
              title: "Took",
              number: true,
              rank: 1,
              width: "8%",
              cell: ({ poll }) => poll?.duration && msText(durationMs(poll.duration)),
            },
            {
              title: "Every",
              number: true,
              rank: 3,
              width: "7%",
              cell: ({ interval }) => interval && msText(durationMs(interval)),
            },
            {
              title: "Zone",
              rank: 3,
              width: "9%",
              cell: (source) => <span className="cut foreign">{nameOf(source.zoneId)}</span>,
            },
          ]}
          empty={
            list.isPending ? undefined : isFiltered ? (
              <Empty
                title="No source matches"
                actions={
                  <Button
                    onClick={() => set({ search: "", show: "", zone: "", collector: "" }, true)}
                  >
                    Show all
                  </Button>
                }
              />
            ) : (
              <Empty title="No sources yet" actions={add}>
                <p>
                  A collector reads a source from inside its network: add an exporter's address, a
                  port or a query, test it from there, and its points come here. A collector needs
                  the capability to poll sources.
                </p>
              </Empty>
            )
          }
        />
        <div className="table-foot" aria-live="polite">
          <span>{list.isPending ? "" : counted(total, "source")}</span>
          <span>{list.isFetchingNextPage ? "Loading more…" : ""}</span>
        </div>
      </div>
    </Page>
  );
}
