import { useQuery } from "@connectrpc/connect-query";
import { Link } from "wouter";
import type { Agent } from "../../../../../gen/lumetry/v1/agent_pb.js";
import { AgentService } from "../../../../../gen/lumetry/v1/agent_service_pb.js";
import { useClusters } from "../../client/clusters.ts";
import { every, PACE } from "../../client/live.ts";
import { usePages } from "../../client/pages.ts";
import { useZones } from "../../client/zones.ts";
import { edgeColumns } from "../../edges/edge-columns.tsx";
import { EdgeFilters, useEdgeFilters } from "../../edges/edge-filters.tsx";
import { Button } from "../../ui/button.tsx";
import { Chip } from "../../ui/chip.tsx";
import { Choice } from "../../ui/field.tsx";
import { Icon } from "../../ui/icon.tsx";
import { Empty, Failure } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";
import { counted } from "../../words/counts.ts";

const UNASSIGNED = "none";

export default function Agents() {
  const { nameOf } = useZones();
  const { clusters } = useClusters();
  const filters = useEdgeFilters();
  const { get, set } = filters;
  const cluster = get("cluster");
  const profileId = get("profile");
  const collectorId = get("collector");
  const list = usePages(AgentService.method.listAgents, {
    ...filters.request,
    profileId,
    collectorId,
    ...(cluster === UNASSIGNED ? { unassigned: true } : { clusterId: cluster }),
  });
  const summary = useQuery(
    AgentService.method.summarizeAgents,
    {},
    { refetchInterval: every(PACE.live) },
  );
  const rows = list.pages.flatMap(({ agents }) => agents);
  const total = list.pages[0]?.totalSize ?? 0n;
  const isFiltered = filters.isFiltered || cluster !== "" || profileId !== "" || collectorId !== "";
  const install = (
    <Link className="button" data-kind="main" href="/agents/install">
      <Icon name="plus" size={14} />
      Install agents
    </Link>
  );
  return (
    <Page title="Agents" name="Agents" actions={install}>
      <EdgeFilters
        filters={filters}
        options={["all", "active", "attention", "revoked"]}
        needingAttention={summary.data?.summary?.needingAttention ?? 0n}
      />
      {(clusters.length > 0 || profileId || collectorId) && (
        <div className="toolbar">
          <Choice
            label="Cluster"
            value={cluster}
            options={[
              { value: "", label: "All clusters" },
              { value: UNASSIGNED, label: "In no cluster" },
              ...clusters.map(({ nodeId, displayName }) => ({ value: nodeId, label: displayName })),
            ]}
            onChange={(value) => set({ cluster: value }, true)}
          />
          {(["profile", "collector"] as const).map(
            (name) =>
              get(name) !== "" && (
                <Chip
                  key={name}
                  text={`${name} ${get(name)}`}
                  remove={`Of every ${name}`}
                  onRemove={() => set({ [name]: "" }, true)}
                />
              ),
          )}
        </div>
      )}
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <div>
        <Table<Agent>
          label="Agents"
          columns={edgeColumns("/agents", [
            {
              title: "Place",
              rank: 2,
              width: "12%",
              cell: ({ clusterName, zoneId }) => (
                <span className="cut foreign">
                  {clusterName || <span className="soft">{nameOf(zoneId)}</span>}
                </span>
              ),
            },
            {
              title: "Way",
              rank: 1,
              width: "10%",
              cell: ({ path }) => (
                <span className="cut foreign">
                  {path?.collectorName || <span className="soft">direct</span>}
                </span>
              ),
            },
          ])}
          rows={rows}
          rowKey={({ agentId }) => agentId}
          href={({ agentId }) => `/agents/${agentId}`}
          total={Number(total)}
          hasMore={list.hasNextPage}
          onMore={list.more}
          sorting={filters.sorting}
          empty={
            list.isPending ? undefined : isFiltered ? (
              <Empty
                title="No agent matches"
                actions={
                  <Button
                    onClick={() =>
                      set(
                        {
                          search: "",
                          show: "",
                          zone: "",
                          matter: "",
                          cluster: "",
                          profile: "",
                          collector: "",
                        },
                        true,
                      )
                    }
                  >
                    Show all
                  </Button>
                }
              />
            ) : (
              <Empty title="No agents yet" actions={install}>
                <p>
                  An agent measures one host. Many enroll with one profile's token; where hosts
                  cannot reach this server, a collector in their network relays for them.
                </p>
              </Empty>
            )
          }
        />
        <div className="table-foot" aria-live="polite">
          <span>{list.isPending ? "" : counted(total, "agent")}</span>
          <span>{list.isFetchingNextPage ? "Loading more…" : ""}</span>
        </div>
      </div>
    </Page>
  );
}
