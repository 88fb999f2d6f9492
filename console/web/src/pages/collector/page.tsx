import { Code, ConnectError } from "@connectrpc/connect";
import { useQuery } from "@connectrpc/connect-query";
import { useParams } from "wouter";
import { CollectorService } from "../../../../../gen/lumetry/v1/collector_service_pb.js";
import { EdgeStatus as Status } from "../../../../../gen/lumetry/v1/edge_pb.js";
import { every, PACE } from "../../client/live.ts";
import { Charts } from "../../edges/charts.tsx";
import { ConfigurationTab } from "../../edges/configuration.tsx";
import { EdgePage } from "../../edges/edge-page.tsx";
import { Nowhere } from "../../frame/nowhere.tsx";
import { Failure } from "../../ui/notice.tsx";
import { countText } from "../../words/counts.ts";
import { Actions } from "./actions.tsx";
import { RelayTab } from "./relay-tab.tsx";
import { Summary } from "./summary.tsx";
import { WorkTab } from "./work-tab.tsx";

export default function CollectorPage() {
  const { id: collectorId = "" } = useParams<{ id: string }>();
  const { data, error, refetch } = useQuery(
    CollectorService.method.getCollector,
    { collectorId },
    { refetchInterval: every(PACE.live) },
  );
  const collector = data?.collector;
  if (error instanceof ConnectError && error.code === Code.NotFound) return <Nowhere />;
  if (!collector) return error ? <Failure error={error} onRetry={() => refetch()} /> : null;
  const { status, relayedAgents } = collector;
  return (
    <EdgePage
      edge={collector}
      parent={{ title: "Collectors", path: "/collectors" }}
      actions={<Actions collector={collector} />}
      tabs={[
        {
          id: "summary",
          title: "Summary",
          body: () => (
            <div className="page">
              <Summary collector={collector} />
              {status !== Status.PENDING && <Charts edge={collector} />}
            </div>
          ),
        },
        { id: "work", title: "Work", body: () => <WorkTab collector={collector} /> },
        {
          id: "agents",
          title: relayedAgents > 0n ? `Agents ${countText(relayedAgents)}` : "Agents",
          body: () => <RelayTab collector={collector} />,
        },
        {
          id: "config",
          title: "Configuration",
          body: () => (
            <ConfigurationTab
              targetId={collectorId}
              config={collector.config}
              isRevoked={status === Status.REVOKED}
            />
          ),
        },
      ]}
    />
  );
}
