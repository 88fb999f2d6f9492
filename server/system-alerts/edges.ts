import { timestampDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { Attention_Kind as Attention } from "../../gen/lumetry/v1/edge_pb.js";
import { SystemAlertKind as Kind } from "../../gen/lumetry/v1/system_alert_service_pb.js";
import type { Evidence } from "../alerts/table.ts";
import { collectorAttention } from "../collectors/rules.ts";
import type { Database } from "../db/database.ts";
import { edgeAttention, type Limits, silenceMs } from "../edges/attention.ts";
import { needsAttention } from "../edges/matters.ts";
import { duplicateEvidence } from "../edges/rules.ts";
import { type EdgeRow, listProcesses, selectEdges } from "../edges/store.ts";
import type { EdgeKind } from "../edges/table.ts";
import { type Finding, type Look, labelsOf } from "./findings.ts";
import type { WatchableKind } from "./kinds.ts";
import { type Behind, countBehind } from "./suppression.ts";

/** The matters of edges that are alerts, too; all others are shown only. */
const WATCHED: Partial<Record<Attention, Record<EdgeKind, WatchableKind>>> = {
  [Attention.MISSED_HEARTBEATS]: {
    collector: Kind.COLLECTOR_MISSED_HEARTBEATS,
    agent: Kind.AGENT_MISSED_HEARTBEATS,
  },
  [Attention.DUPLICATE_SUSPECTED]: both(Kind.DUPLICATE_SUSPECTED),
  [Attention.CLOCK_SKEW]: both(Kind.CLOCK_SKEW),
  [Attention.QUEUE_FILLING]: both(Kind.QUEUE_FILLING),
  [Attention.POINTS_DROPPED]: both(Kind.POINTS_DROPPED),
  [Attention.QUEUE_UNWRITABLE]: both(Kind.QUEUE_UNWRITABLE),
  [Attention.CONFIG_REJECTED]: both(Kind.CONFIG_REJECTED),
  [Attention.RELAY_DOWN]: both(Kind.RELAY_DOWN),
  [Attention.TOKEN_EXPIRED]: both(Kind.TOKEN_EXPIRING),
};
const WATCHED_ATTENTION = Object.keys(WATCHED).map(Number) as Attention[];

/** What its last heartbeat said, which tells little of the present once it is silent. */
const OF_THE_LAST_HEARTBEAT = new Set<Attention>([
  Attention.CLOCK_SKEW,
  Attention.QUEUE_FILLING,
  Attention.QUEUE_UNWRITABLE,
  Attention.RELAY_DOWN,
]);

/** Heartbeats come within 1.2 intervals: after so many, one is missing. */
const SILENT_AFTER = 1.5;

function both(kind: WatchableKind): Record<EdgeKind, WatchableKind> {
  return { collector: kind, agent: kind };
}

/** From where on it is amiss, and from where on it nearly is. */
function limitsOf({ settings, heartbeatIntervalMs }: Look, kind: EdgeKind) {
  const missed =
    kind === "collector" ? Kind.COLLECTOR_MISSED_HEARTBEATS : Kind.AGENT_MISSED_HEARTBEATS;
  const amiss: Limits = {
    heartbeatIntervalMs,
    missedHeartbeats: settings[missed].threshold,
    clockSkewMs: settings[Kind.CLOCK_SKEW].threshold,
    soonFullMs: settings[Kind.QUEUE_FILLING].threshold,
  };
  const near: Limits = {
    heartbeatIntervalMs,
    missedHeartbeats: SILENT_AFTER,
    clockSkewMs: amiss.clockSkewMs * 0.8,
    soonFullMs: amiss.soonFullMs * 1.25,
  };
  return { amiss, near };
}

/** What is amiss with a workspace's collectors, or with its agents. */
export async function findEdgeMatters(look: Look, kind: EdgeKind): Promise<Finding[]> {
  const { db, workspaceId } = look;
  const limits = limitsOf(look, kind);
  const rows = await listNeedy(db, workspaceId, kind, limits.near);
  const silent = rows.filter((row) => isSilent(row, limits.near)).map(({ edge_id }) => edge_id);
  const behind =
    kind === "collector" ? await countBehind(db, workspaceId, silent) : new Map<string, Behind>();
  const findings: Finding[] = [];
  for (const row of rows) {
    const found = await findMatters(look, row, limits);
    const silence = found.find((each) => each.kind === Kind.COLLECTOR_MISSED_HEARTBEATS);
    if (silence) explainOthers(silence, behind.get(row.edge_id));
    findings.push(...found);
  }
  return findings;
}

/** A collector's silence may explain that of others, and says of how many. */
function explainOthers(silence: Finding, behind: Behind | undefined): void {
  if (silence.degree === "near") silence.degree = "doubtful";
  if (!behind || behind.agents + behind.sources + behind.suppressed === 0) return;
  silence.summary += ` ${behindText(behind)}`;
  silence.evidence = { ...behind };
  silence.follows = true;
}

type Row = Awaited<ReturnType<typeof listNamed>>[number];

const MOST_AT_ONCE = 500;

/** Those that need attention: first found in one pass over the edges, then read with all that is said of them. */
async function listNeedy(db: Database, workspaceId: string, kind: EdgeKind, near: Limits) {
  const found = await db
    .selectFrom("edges")
    .select("edge_id")
    .where("workspace_id", "=", workspaceId)
    .where("kind", "=", kind)
    .where(needsAttention(WATCHED_ATTENTION, near))
    .execute();
  const rows: Row[] = [];
  for (let from = 0; from < found.length; from += MOST_AT_ONCE) {
    const ids = found.slice(from, from + MOST_AT_ONCE).map(({ edge_id }) => edge_id);
    rows.push(...(await listNamed(db, workspaceId, kind, ids)));
  }
  return rows;
}

/** Edges with the names of what they belong to. */
function listNamed(db: Database, workspaceId: string, kind: EdgeKind, edgeIds: string[]) {
  return selectEdges(db, workspaceId, kind)
    .leftJoin("zones", (join) =>
      join
        .onRef("zones.workspace_id", "=", "edges.workspace_id")
        .onRef("zones.zone_id", "=", "edges.zone_id"),
    )
    .leftJoin("collectors", (join) =>
      join
        .onRef("collectors.workspace_id", "=", "edges.workspace_id")
        .onRef("collectors.collector_id", "=", "edges.edge_id"),
    )
    .leftJoin("agents", (join) =>
      join
        .onRef("agents.workspace_id", "=", "edges.workspace_id")
        .onRef("agents.agent_id", "=", "edges.edge_id"),
    )
    .leftJoin("topology_nodes as cluster", (join) =>
      join
        .onRef("cluster.workspace_id", "=", "agents.workspace_id")
        .onRef("cluster.node_id", "=", "agents.cluster_id"),
    )
    .leftJoin("edges as relay", (join) =>
      join
        .onRef("relay.workspace_id", "=", "agents.workspace_id")
        .onRef("relay.edge_id", "=", "agents.relay_id"),
    )
    .select([
      "zones.display_name as zone_name",
      "cluster.display_name as cluster_name",
      "relay.display_name as relay_name",
      "collectors.token_expires_at",
    ])
    .where("edges.edge_id", "=", sql<string>`any(${edgeIds}::text[])`)
    .execute();
}

/** What is amiss with one edge, and what nearly is. */
async function findMatters(
  look: Look,
  row: Row,
  limits: { amiss: Limits; near: Limits },
): Promise<Finding[]> {
  const amiss = new Set(edgeAttention(row, limits.amiss).map(({ kind }) => kind));
  const more = collectorAttention(row);
  const silent = isSilent(row, limits.near);
  const labels = labelsOf({
    [row.kind]: row.display_name,
    host: hostnameOf(row),
    ...(row.kind === "agent" && { collector: row.relay_name, cluster: row.cluster_name }),
    zone: row.zone_name,
  });
  const findings: Finding[] = [];
  for (const { kind: attention, message } of [...edgeAttention(row, limits.near), ...more]) {
    const kind = WATCHED[attention]?.[row.kind];
    if (kind === undefined || !look.settings[kind].enabled) continue;
    const isAmiss = amiss.has(attention) || more.some((matter) => matter.kind === attention);
    const isStale = silent && OF_THE_LAST_HEARTBEAT.has(attention);
    const finding: Finding = {
      kind,
      subject: row.edge_id,
      degree: isAmiss && !isStale ? "amiss" : "near",
      summary: sentence(row, message),
      labels,
      edgeId: row.edge_id,
    };
    if (attention === Attention.MISSED_HEARTBEATS) {
      const silence = silenceMs(row) ?? 0;
      finding.value = Math.round(silence / 1000);
      finding.amissSinceMs =
        row.read_at.getTime() -
        silence +
        limits.amiss.missedHeartbeats * limits.amiss.heartbeatIntervalMs;
    }
    if (attention === Attention.CLOCK_SKEW) finding.value = (row.clock_skew_ms ?? 0) / 1000;
    if (attention === Attention.POINTS_DROPPED) finding.value = Number(row.recently_dropped ?? 0n);
    if (attention === Attention.DUPLICATE_SUSPECTED) {
      Object.assign(finding, await tellDuplicate(look, row), { follows: true });
    }
    findings.push(finding);
  }
  return findings;
}

const isSilent = (row: EdgeRow, near: Limits) =>
  edgeAttention(row, near).some(({ kind }) => kind === Attention.MISSED_HEARTBEATS);

const lowerFirst = (text: string) => text.slice(0, 1).toLowerCase() + text.slice(1);

const sentence = (row: EdgeRow, message: string) =>
  `${row.kind === "collector" ? "Collector" : "Agent"} ${row.display_name}: ${lowerFirst(message)}`;

function hostnameOf({ host }: EdgeRow): string | undefined {
  const name = host && typeof host === "object" && !Array.isArray(host) && host.hostname;
  return typeof name === "string" ? name : undefined;
}

/** Both processes, with what does not change from heartbeat to heartbeat. */
async function tellDuplicate({ db }: Look, row: EdgeRow): Promise<Partial<Finding>> {
  const found = duplicateEvidence(row, await listProcesses(db, row));
  if (!found) return {};
  const tell = (process: typeof found.returned): Evidence => ({
    processId: process.processId,
    hostname: process.hostname,
    address: process.address,
    version: process.version,
    firstSeenTime: timestampDate(process.firstSeenTime).toISOString(),
  });
  return {
    summary: sentence(row, found.explanation),
    evidence: { returned: tell(found.returned), replacement: tell(found.replacement) },
  };
}

const some = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`;

function behindText({ agents, sources, suppressed }: Behind): string {
  const dependents = [
    ...(agents ? [`${some(agents, "agent")} came through it`] : []),
    ...(sources ? [`${some(sources, "source")} ${sources === 1 ? "is" : "are"} its to poll`] : []),
  ].join(", ");
  const held = suppressed
    ? `${some(suppressed, "alert")} that it explains ${suppressed === 1 ? "is" : "are"} suppressed.`
    : "Alerts that it explains are suppressed.";
  return [dependents && `${dependents}.`, held].filter(Boolean).join(" ");
}
