import { Link } from "wouter";
import { EnrollAgentResponse_PlacementSchema as PlacementSchema } from "../../../../../gen/lumetry/edge/v1/enrollment_service_pb.js";
import type { Agent } from "../../../../../gen/lumetry/v1/agent_pb.js";
import { useZones } from "../../client/zones.ts";
import { healthFacts } from "../../edges/facts.tsx";
import { systemText } from "../../edges/words.tsx";
import { Age } from "../../ui/age.tsx";
import { Facts } from "../../ui/page.tsx";
import { enumWord } from "../../words/counts.ts";
import { labelsText } from "../../words/labels.ts";

const agentLink = (id: string) => (
  <Link key={id} href={`/agents/${id}`}>
    <code>{id}</code>
  </Link>
);

export function Summary({ agent }: { agent: Agent }) {
  const { nameOf } = useZones();
  const { host, path } = agent;
  return (
    <div className="halves">
      <div className="card padded">
        <Facts
          entries={[
            ["Id", <code key="id">{agent.agentId}</code>],
            [
              "Cluster",
              agent.clusterName || (
                <span className="soft">
                  none
                  {agent.askedCluster !== "" &&
                    `; it asked for ${agent.askedCluster}: ${enumWord(PlacementSchema, agent.placement)}`}
                </span>
              ),
            ],
            ["Zone", nameOf(agent.zoneId)],
            [
              "Way",
              path && (
                <>
                  {path.collectorId ? (
                    <>
                      through{" "}
                      <Link href={`/collectors/${path.collectorId}`}>{path.collectorName}</Link>
                    </>
                  ) : (
                    "direct"
                  )}
                  , since <Age time={path.sinceTime} />
                </>
              ),
            ],
            ["Host", host?.hostname],
            ["System", host && systemText(host)],
            ["Version", agent.version],
            ["Enrolled", <Age key="enrolled" time={agent.enrollTime} />],
            [
              "Profile",
              <Link key="p" href={`/agents/install?profile=${agent.profileId}`}>
                <code>{agent.profileId}</code>
              </Link>,
            ],
            ["Labels", labelsText(agent.labels)],
            [
              "Earlier records",
              agent.earlierAgentIds.length > 0 && agent.earlierAgentIds.map(agentLink),
            ],
            ["Latest record", agent.latestAgentId !== "" && agentLink(agent.latestAgentId)],
            ["Revoked", agent.revokeTime && <Age time={agent.revokeTime} />],
          ]}
        />
      </div>
      <div className="card padded">
        <Facts entries={healthFacts(agent)} />
      </div>
    </div>
  );
}
