import { Code, ConnectError } from "@connectrpc/connect";
import { useQuery } from "@connectrpc/connect-query";
import { Link, useParams } from "wouter";
import { AgentService } from "../../../../../gen/lumetry/v1/agent_service_pb.js";
import { EdgeStatus as Status } from "../../../../../gen/lumetry/v1/edge_pb.js";
import { every, PACE } from "../../client/live.ts";
import { Charts } from "../../edges/charts.tsx";
import { ConfigurationTab } from "../../edges/configuration.tsx";
import { EdgePage } from "../../edges/edge-page.tsx";
import { Nowhere } from "../../frame/nowhere.tsx";
import { Failure, Notice } from "../../ui/notice.tsx";
import { Actions } from "./actions.tsx";
import { Summary } from "./summary.tsx";

export default function AgentPage() {
  const { id: agentId = "" } = useParams<{ id: string }>();
  const { data, error, refetch } = useQuery(
    AgentService.method.getAgent,
    { agentId },
    { refetchInterval: every(PACE.live) },
  );
  const agent = data?.agent;
  if (error instanceof ConnectError && error.code === Code.NotFound) return <Nowhere />;
  if (!agent) return error ? <Failure error={error} onRetry={() => refetch()} /> : null;
  return (
    <EdgePage
      edge={agent}
      parent={{ title: "Agents", path: "/agents" }}
      actions={<Actions agent={agent} />}
      tabs={[
        {
          id: "summary",
          title: "Summary",
          body: () => (
            <div className="page">
              <Summary agent={agent} />
              <Charts edge={agent} />
            </div>
          ),
        },
        {
          id: "config",
          title: "Configuration",
          body: () => (
            <div className="page">
              {(agent.config?.profileRevision ?? 0n) > 0n && (
                <Notice>
                  It runs on its profile's configuration. What is published here applies in its
                  place; see{" "}
                  <Link href={`/agents/install?profile=${agent.profileId}`}>the profile</Link>.
                </Notice>
              )}
              <ConfigurationTab
                targetId={agentId}
                config={agent.config}
                isRevoked={agent.status === Status.REVOKED}
              />
            </div>
          ),
        },
      ]}
    />
  );
}
