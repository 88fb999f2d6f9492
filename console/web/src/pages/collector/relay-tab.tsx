import { Link } from "wouter";
import type { Agent } from "../../../../../gen/lumetry/v1/agent_pb.js";
import { AgentService } from "../../../../../gen/lumetry/v1/agent_service_pb.js";
import type { Collector } from "../../../../../gen/lumetry/v1/collector_pb.js";
import { usePages } from "../../client/pages.ts";
import { edgeColumns } from "../../edges/edge-columns.tsx";
import { Age } from "../../ui/age.tsx";
import { Empty, Failure } from "../../ui/notice.tsx";
import { Facts, Section } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";
import { countText } from "../../words/counts.ts";

const hex = (bytes: Uint8Array) =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The agents that come through it, and how its relay is doing. */
export function RelayTab({ collector }: { collector: Collector }) {
  const { collectorId, relay } = collector;
  const list = usePages(AgentService.method.listAgents, { collectorId });
  return (
    <div className="page">
      <div className="card padded">
        {relay ? (
          <Facts
            entries={[
              ["Where agents reach it", <code key="url">{relay.url}</code>],
              [
                "Key that they pin",
                relay.publicKeySha256.length > 0 && (
                  <code key="key">{hex(relay.publicKeySha256)}</code>
                ),
              ],
              ["Without TLS", relay.cleartext && <span className="warn">allowed</span>],
              ["Connections", countText(relay.connections)],
              ["Calls passed on", countText(relay.relayedCalls)],
              ["Calls turned away", countText(relay.refusedCalls)],
            ]}
          />
        ) : (
          <p className="soft">It does not relay, or has not said so yet.</p>
        )}
      </div>
      <Section
        title="Agents that come through it"
        actions={<Link href={`/agents?collector=${collectorId}`}>Search among them</Link>}
      >
        {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
        <Table<Agent>
          label="Agents that come through it"
          rows={list.pages.flatMap(({ agents }) => agents)}
          rowKey={({ agentId }) => agentId}
          href={({ agentId }) => `/agents/${agentId}`}
          total={Number(list.pages[0]?.totalSize ?? 0n)}
          hasMore={list.hasNextPage}
          onMore={list.more}
          columns={edgeColumns("/agents", [
            {
              title: "This way since",
              rank: 1,
              width: "13%",
              cell: ({ path }) => <Age time={path?.sinceTime} />,
            },
          ])}
          empty={
            list.isPending ? undefined : (
              <Empty title="None">
                <p>
                  Agents in its network that cannot reach this server come through it: name it in
                  the install commands of a profile.
                </p>
              </Empty>
            )
          }
        />
      </Section>
    </div>
  );
}
