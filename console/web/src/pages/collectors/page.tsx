import { useQuery } from "@connectrpc/connect-query";
import { useState } from "react";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import type { Collector } from "../../../../../gen/lumetry/v1/collector_pb.js";
import { CollectorService } from "../../../../../gen/lumetry/v1/collector_service_pb.js";
import { every, PACE } from "../../client/live.ts";
import { usePages } from "../../client/pages.ts";
import { useSelf } from "../../client/session.tsx";
import { useZones } from "../../client/zones.ts";
import { edgeColumns } from "../../edges/edge-columns.tsx";
import { EdgeFilters, useEdgeFilters } from "../../edges/edge-filters.tsx";
import { Button } from "../../ui/button.tsx";
import { Empty, Failure } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";
import { counted } from "../../words/counts.ts";
import { Register } from "./register.tsx";

export default function Collectors() {
  const self = useSelf();
  const { nameOf } = useZones();
  const filters = useEdgeFilters();
  const [isRegistering, setRegistering] = useState(false);
  const list = usePages(CollectorService.method.listCollectors, filters.request);
  const summary = useQuery(
    CollectorService.method.summarizeCollectors,
    {},
    { refetchInterval: every(PACE.live) },
  );
  const rows = list.pages.flatMap(({ collectors }) => collectors);
  const total = list.pages[0]?.totalSize ?? 0n;
  const register = self.may(Role.ADMIN) && (
    <Button kind="main" icon="plus" onClick={() => setRegistering(true)}>
      Register a collector
    </Button>
  );
  return (
    <Page title="Collectors" name="Collectors" actions={register}>
      <EdgeFilters
        filters={filters}
        options={["all", "active", "attention", "pending", "revoked"]}
        needingAttention={summary.data?.summary?.needingAttention ?? 0n}
      />
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <div>
        <Table<Collector>
          label="Collectors"
          columns={edgeColumns("/collectors", [
            {
              title: "Zone",
              rank: 2,
              width: "10%",
              cell: ({ zoneId }) => <span className="foreign">{nameOf(zoneId)}</span>,
            },
          ])}
          rows={rows}
          rowKey={({ collectorId }) => collectorId}
          href={({ collectorId }) => `/collectors/${collectorId}`}
          total={Number(total)}
          hasMore={list.hasNextPage}
          onMore={list.more}
          sorting={filters.sorting}
          empty={
            list.isPending ? undefined : filters.isFiltered ? (
              <Empty
                title="No collector matches"
                actions={<Button onClick={filters.clear}>Show all</Button>}
              />
            ) : (
              <Empty title="No collectors yet" actions={register}>
                <p>
                  A collector runs on a host, measures it, and brings what it measured here over
                  outbound HTTPS. Register one to get its one-time token and the command that starts
                  it.
                </p>
              </Empty>
            )
          }
        />
        <div className="table-foot" aria-live="polite">
          <span>{list.isPending ? "" : counted(total, "collector")}</span>
          <span>{list.isFetchingNextPage ? "Loading more…" : ""}</span>
        </div>
      </div>
      <Register open={isRegistering} onClose={() => setRegistering(false)} />
    </Page>
  );
}
