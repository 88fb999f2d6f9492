import { timestampMs } from "@bufbuild/protobuf/wkt";
import { useQuery } from "@connectrpc/connect-query";
import { AgentService } from "../../../../../gen/lumetry/v1/agent_service_pb.js";
import { CollectorService } from "../../../../../gen/lumetry/v1/collector_service_pb.js";
import { type EdgeSummary, EdgeStatus as Status } from "../../../../../gen/lumetry/v1/edge_pb.js";
import { Incident_State as State } from "../../../../../gen/lumetry/v1/incident_pb.js";
import { IncidentService } from "../../../../../gen/lumetry/v1/incident_service_pb.js";
import {
  SourceService,
  Source_Status as SourceStatus,
} from "../../../../../gen/lumetry/v1/source_service_pb.js";
import { WorkspaceService } from "../../../../../gen/lumetry/v1/workspace_service_pb.js";
import { SeriesChart } from "../../charts/series-chart.tsx";
import { serverNow } from "../../client/clock.ts";
import { every, PACE } from "../../client/live.ts";
import { useSelf } from "../../client/session.tsx";
import { Failure } from "../../ui/notice.tsx";
import { Page, Section } from "../../ui/page.tsx";
import { countText } from "../../words/counts.ts";
import { threeDigits } from "../../words/units.ts";
import { ByMatter, Matters } from "./matters.tsx";
import { OpenIncidents } from "./open-incidents.tsx";
import { Tile } from "./tile.tsx";

const MOST_SHOWN = 12;
const MOST_INCIDENTS = 50;
const MOST_LISTED = 5;
const MINUTE_MS = 60_000;
const LATELY_MINUTES = 5;

const enrolledIn = (summary: EdgeSummary | undefined) =>
  (summary?.statuses ?? [])
    .filter(({ status }) => status === Status.ACTIVE || status === Status.DUPLICATE_SUSPECTED)
    .reduce((sum, { edges }) => sum + edges, 0n);

export default function Overview() {
  const self = useSelf();
  const live = { refetchInterval: every(PACE.live) };
  const needing = { needsAttention: true, pageSize: MOST_SHOWN };
  const collectorCounts = useQuery(CollectorService.method.summarizeCollectors, {}, live);
  const agentCounts = useQuery(AgentService.method.summarizeAgents, {}, live);
  const collectors = useQuery(CollectorService.method.listCollectors, needing, live);
  const agents = useQuery(AgentService.method.listAgents, needing, live);
  const ingest = useQuery(WorkspaceService.method.getIngestHistory, {}, live);
  const incidents = useQuery(
    IncidentService.method.listIncidents,
    { states: [State.OPEN, State.ACKNOWLEDGED], pageSize: MOST_INCIDENTS },
    live,
  );
  const sources = useQuery(SourceService.method.listSources, { pageSize: 1 }, live);
  const troubled = useQuery(
    SourceService.method.listSources,
    { pageSize: 1, statuses: [SourceStatus.DOWN, SourceStatus.LATE, SourceStatus.UNASSIGNED] },
    live,
  );
  const workspace = useQuery(
    WorkspaceService.method.getWorkspace,
    {},
    { refetchInterval: every(PACE.calm) },
  );
  const error = [collectorCounts, agentCounts, collectors, agents, ingest, incidents, sources].find(
    (query) => query.error,
  )?.error;

  const ofCollectors = collectorCounts.data?.summary;
  const ofAgents = agentCounts.data?.summary;
  const known = ofCollectors !== undefined && ofAgents !== undefined;
  const sum = (count: (summary: EdgeSummary) => bigint) =>
    known ? count(ofCollectors) + count(ofAgents) : 0n;
  const attention = sum(({ needingAttention }) => needingAttention);
  const pending = ofCollectors?.statuses.find(({ status }) => status === Status.PENDING)?.edges;
  const minutes = ingest.data?.minutes ?? [];
  const lately = minutes.slice(-LATELY_MINUTES);
  const perSecond =
    lately.reduce((total, { points }) => total + Number(points), 0) / (LATELY_MINUTES * 60);
  const { seriesCount = 0n, seriesLimit = 0n } = workspace.data?.workspace ?? {};
  const [first] = minutes;
  const open = incidents.data?.incidents ?? [];
  const untaken = open.filter(({ state }) => state === State.OPEN).length;
  const troubledCount = troubled.data?.totalSize ?? 0n;

  return (
    <Page
      title="Overview"
      name="Overview"
      beside={<span className="soft foreign">{self.workspaceName}</span>}
    >
      {error && <Failure error={error} />}
      <div className="tiles">
        <Tile
          href="/incidents"
          name="Open incidents"
          figure={incidents.data && `${open.length}${incidents.data.nextPageToken ? "+" : ""}`}
          tone={open.length > 0 ? "bad" : "good"}
          more={incidents.data && (open.length > 0 ? `${untaken} nobody's yet` : "none")}
        />
        <Tile
          href="/collectors?show=active"
          name="Collectors enrolled"
          figure={known && countText(enrolledIn(ofCollectors))}
          more={known && (pending ? `${countText(pending)} pending` : "none pending")}
        />
        <Tile
          href="/agents?show=active"
          name="Agents enrolled"
          figure={known && countText(enrolledIn(ofAgents))}
          more={known && `${countText(ofAgents.needingAttention)} need attention`}
        />
        <Tile
          name="Need attention"
          figure={known && countText(attention)}
          tone={attention > 0n ? "warn" : "good"}
          more={known && (attention > 0n ? "see below" : "all is well")}
        />
        <Tile
          href={troubledCount > 0n ? "/sources?show=troubled" : "/sources"}
          name="Sources"
          figure={sources.data && countText(sources.data.totalSize)}
          more={
            troubled.data &&
            (troubledCount > 0n ? (
              <span className="warn">{countText(troubledCount)} need attention</span>
            ) : (
              "all answer"
            ))
          }
        />
        <Tile
          name="Points a second"
          figure={ingest.data && threeDigits(perSecond)}
          more={`stored, over ${LATELY_MINUTES} minutes`}
        />
        <Tile
          href="/collectors?sort=4"
          name="Points waiting"
          figure={known && countText(sum(({ queuedPoints }) => queuedPoints))}
          more={known && `in queues; ${countText(sum(({ droppedPoints }) => droppedPoints))} lost`}
        />
        <Tile
          href="/explore"
          name="Series"
          figure={workspace.data && countText(seriesCount)}
          more={workspace.data && `of ${countText(seriesLimit)}`}
        />
      </div>
      <div className="columns">
        <div className="page">
          {/* Together, since incidents that come later would push the rest down. */}
          {(incidents.data || incidents.error) && (
            <>
              {open.length > 0 && (
                <Section title="Open incidents">
                  <OpenIncidents
                    incidents={open.slice(0, MOST_LISTED)}
                    isCut={open.length > MOST_LISTED}
                  />
                </Section>
              )}
              <Section title="What needs attention">
                <Matters
                  collectors={collectors.data?.collectors}
                  agents={agents.data?.agents}
                  more={[
                    { path: "/collectors", total: ofCollectors?.needingAttention ?? 0n },
                    { path: "/agents", total: ofAgents?.needingAttention ?? 0n },
                  ]}
                  hasAny={sum(({ statuses }) => BigInt(statuses.length)) > 0n}
                />
              </Section>
            </>
          )}
        </div>
        <div className="page">
          <Section title="Ingest">
            <div className="card chart">
              <SeriesChart
                label="Points stored a second, over the last hour"
                metric="ingest"
                unit="{point}/s"
                height={170}
                from={
                  first?.startTime ? timestampMs(first.startTime) : serverNow() - 60 * MINUTE_MS
                }
                to={serverNow()}
                stepMs={MINUTE_MS}
                isLoading={ingest.isPending}
                series={[
                  {
                    name: "stored",
                    points: minutes.map(({ startTime, points }) => ({
                      time: startTime ? timestampMs(startTime) : 0,
                      value: Number(points) / 60,
                    })),
                  },
                ]}
              />
            </div>
          </Section>
          {known && <ByMatter collectors={ofCollectors} agents={ofAgents} />}
        </div>
      </div>
    </Page>
  );
}
