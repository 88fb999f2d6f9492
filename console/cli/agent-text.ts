import { EnrollAgentResponse_PlacementSchema } from "../../gen/lumetry/edge/v1/enrollment_service_pb.js";
import type { Agent } from "../../gen/lumetry/v1/agent_pb.js";
import { EdgeStatusSchema } from "../../gen/lumetry/v1/edge_pb.js";
import {
  attentionLines,
  healthColumns,
  healthFacts,
  healthParagraphs,
  STATUS_STYLES,
  seenText,
} from "./edge-text.ts";
import { labelsText } from "./labels.ts";
import { facts, table } from "./table.ts";
import { plain, type Terminal } from "./terminal.ts";
import { ageOf, enumWord } from "./words.ts";

const statusText = ({ status }: Agent) => enumWord(EdgeStatusSchema, status);

/** "direct", or the collector that its last call came through. */
const pathText = ({ path }: Agent) => path?.collectorName || path?.collectorId || "direct";

export function agentTable(
  agents: Agent[],
  zones: Map<string, string>,
  terminal: Terminal,
  isFiltered: boolean,
): string {
  if (agents.length === 0) {
    return isFiltered
      ? "No host is like that."
      : 'There are no hosts yet. Make a token for them with "lumetry profiles create".';
  }
  const rows = table(
    agents,
    [
      { title: "NAME", value: ({ displayName }) => displayName, least: 12 },
      { title: "ID", value: ({ agentId }) => agentId, rank: 2 },
      { title: "STATUS", value: statusText, style: ({ status }) => STATUS_STYLES[status] },
      {
        title: "LAST SEEN",
        value: seenText,
        style: ({ attention }) => (attention.length > 0 ? "yellow" : undefined),
      },
      { title: "PATH", value: pathText, least: 8, rank: 1 },
      { title: "CLUSTER", value: ({ clusterName }) => clusterName, least: 8, rank: 2 },
      { title: "ZONE", value: ({ zoneId }) => zones.get(zoneId) ?? "", least: 8, rank: 6 },
      ...healthColumns<Agent>(terminal),
    ],
    terminal,
  );
  const attention = attentionLines(agents, terminal);
  return attention === "" ? rows : `${rows}\n\n${attention}`;
}

/** Whose configuration it runs on. */
function sourceText({ config }: Agent): string {
  if (!config || config.latestRevision === 0n) return "its profile's, if any is published";
  return config.profileRevision > 0n
    ? `revision ${config.profileRevision} of its profile's`
    : "a document of its own, or the defaults";
}

/** Everything about one agent, in paragraphs. */
export function agentFacts(
  agent: Agent,
  zones: Map<string, string>,
  terminal: Terminal,
  now: number,
): string {
  const { path } = agent;
  const health = healthFacts(agent, terminal, now);
  const named = (name: string, id: string) => `${plain(name)} ${id}`.trim();
  const asked = enumWord(EnrollAgentResponse_PlacementSchema, agent.placement);
  const paragraphs = [
    facts(
      [
        ["name", terminal.paint(plain(agent.displayName), "bold")],
        ["id", agent.agentId],
        ["status", terminal.paint(statusText(agent), STATUS_STYLES[agent.status] ?? "bold")],
        ["last seen", seenText(agent)],
        [
          "path",
          path?.collectorId
            ? `through ${named(path.collectorName, path.collectorId)}, since ${ageOf(path.sinceTime, now)}`
            : `direct, since ${ageOf(path?.sinceTime, now)}`,
        ],
        ["zone", named(zones.get(agent.zoneId) ?? "", agent.zoneId)],
        ["cluster", named(agent.clusterName, agent.clusterId) || "none"],
        [
          "asked for",
          agent.askedCluster && `${plain(agent.askedCluster)} (${asked.replaceAll("_", " ")})`,
        ],
        ["profile", agent.profileId],
        ["labels", plain(labelsText(agent.labels))],
        ...health.before,
        ["config from", sourceText(agent)],
        ["earlier records", agent.earlierAgentIds.join(" ")],
        ["enrolled again as", agent.latestAgentId],
        ...health.after,
      ],
      terminal,
    ),
    ...healthParagraphs(agent, terminal, now),
  ];
  return paragraphs.filter(Boolean).join("\n\n");
}
