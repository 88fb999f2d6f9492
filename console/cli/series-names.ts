import type { TimeSeries } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { AgentService } from "../../gen/lumetry/v1/agent_service_pb.js";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import type { Connection } from "./connection.ts";
import { labelsText, splitLabels } from "./labels.ts";
import { plain } from "./terminal.ts";

/** Set by the server on all that a collector has written. */
export const COLLECTOR_LABEL = "lumetry.collector_id";
/** Set by the server on all that an agent has written. */
export const AGENT_LABEL = "lumetry.agent_id";

/** More are not worth as many calls. */
const MOST_NAMED = 20;

/** What all series have in common, and what sets each apart; collectors and agents go by their names. */
export async function nameSeries(
  connection: Connection,
  series: TimeSeries[],
): Promise<{ common: string; names: string[] }> {
  const collectors = connection.client(CollectorService);
  const agents = connection.client(AgentService);
  const [collectorNames, agentNames] = await Promise.all([
    namesOf(
      series.map(({ labels }) => labels[COLLECTOR_LABEL]),
      async (collectorId) =>
        (await collectors.getCollector({ collectorId })).collector?.displayName,
    ),
    namesOf(
      series.map(({ labels }) => labels[AGENT_LABEL]),
      async (agentId) => (await agents.getAgent({ agentId })).agent?.displayName,
    ),
  ]);
  const { common, names } = splitLabels(
    series.map(
      ({ labels: { [COLLECTOR_LABEL]: collectorId, [AGENT_LABEL]: agentId, ...labels } }) => ({
        ...labels,
        ...named(collectorNames, COLLECTOR_LABEL, "collector", collectorId),
        ...named(agentNames, AGENT_LABEL, "agent", agentId),
      }),
    ),
  );
  return { common: plain(labelsText(common)), names: names.map(plain) };
}

/** A label with the name in it; with the id where there is none. */
function named(names: Map<string, string>, label: string, noun: string, id: string | undefined) {
  if (id === undefined) return {};
  const name = names.get(id);
  return name === undefined ? { [label]: id } : { [noun]: name };
}

/** Display names by id; without those that several share, and with none at all if there are many. */
async function namesOf(
  wanted: (string | undefined)[],
  ask: (id: string) => Promise<string | undefined>,
): Promise<Map<string, string>> {
  const ids = [...new Set(wanted.filter((id) => id !== undefined))];
  if (ids.length > MOST_NAMED) return new Map();
  const found = await Promise.all(ids.map((id) => ask(id).catch(() => undefined))); // its id says it as well
  return new Map(
    ids.flatMap((id, index): [string, string][] => {
      const name = found[index];
      const isShared = found.filter((each) => each === name).length > 1;
      return name === undefined || isShared ? [] : [[id, name]];
    }),
  );
}
