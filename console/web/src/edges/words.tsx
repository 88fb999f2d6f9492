import { durationMs } from "@bufbuild/protobuf/wkt";
import type { QueueHealth } from "../../../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { type Host, Host_OperatingSystemSchema } from "../../../../gen/lumetry/edge/v1/host_pb.js";
import type { Agent } from "../../../../gen/lumetry/v1/agent_pb.js";
import type { Collector } from "../../../../gen/lumetry/v1/collector_pb.js";
import {
  EdgeStatusSchema,
  Attention_Kind as Kind,
  EdgeStatus as Status,
} from "../../../../gen/lumetry/v1/edge_pb.js";
import { Age } from "../ui/age.tsx";
import { Tag, type Tone } from "../ui/notice.tsx";
import { spanText } from "../words/ages.ts";
import { countText, enumWord } from "../words/counts.ts";
import { AGENT_LABEL, COLLECTOR_LABEL } from "../words/labels.ts";
import { sizeText, valueText } from "../words/units.ts";

/** A collector or an agent: one outbound machine with different duties. */
export type Edge = Collector | Agent;

export const idOf = (edge: Edge) => ("agentId" in edge ? edge.agentId : edge.collectorId);
export const labelOf = (edge: Edge) => ("agentId" in edge ? AGENT_LABEL : COLLECTOR_LABEL);
export const nounOf = (edge: Edge) => ("agentId" in edge ? "agent" : "collector");

/** From here on a clock is off: attention is drawn to it. */
const SKEWED_MS = 30_000;

const TONES: Partial<Record<Status, Tone>> = {
  [Status.ACTIVE]: "good",
  [Status.PENDING]: "warn",
  [Status.DUPLICATE_SUSPECTED]: "bad",
};

export const isSilent = ({ attention }: Edge) =>
  attention.some(({ kind }) => kind === Kind.MISSED_HEARTBEATS);

export function StatusTag({ edge }: { edge: Edge }) {
  const { status } = edge;
  if (status === Status.ACTIVE && isSilent(edge)) return <Tag tone="bad">silent</Tag>;
  if ("enrollmentTokenExpired" in edge && edge.enrollmentTokenExpired) {
    return <Tag tone="warn">pending, token expired</Tag>;
  }
  return <Tag tone={TONES[status] ?? "plain"}>{enumWord(EdgeStatusSchema, status)}</Tag>;
}

export function LastSeen({ edge }: { edge: Edge }) {
  return (
    <span className={isSilent(edge) ? "bad" : undefined}>
      <Age time={edge.lastSeenTime} />
    </span>
  );
}

/** "+1.25 s" when its clock is ahead; "" when not known. */
export function skewText({ clockSkew }: Edge): string {
  if (!clockSkew) return "";
  const ms = durationMs(clockSkew);
  if (Math.abs(ms) < 1) return "0 ms";
  return `${ms > 0 ? "+" : "-"}${valueText(Math.abs(ms) / 1000, "s", "")}`;
}

export function Skew({ edge }: { edge: Edge }) {
  const isOff = edge.clockSkew && Math.abs(durationMs(edge.clockSkew)) >= SKEWED_MS;
  return <span className={isOff ? "warn" : undefined}>{skewText(edge)}</span>;
}

/** "3" when the latest revision is in force, "2 → 3" on the way there, "2 (3 rejected)". */
export function configText({ config }: Edge): string {
  if (!config || config.latestRevision === 0n) return config ? "default" : "";
  const { latestRevision, runningRevision, rejected } = config;
  if (rejected) return `${runningRevision} (${latestRevision} rejected)`;
  return runningRevision === latestRevision
    ? `${runningRevision}`
    : `${runningRevision} → ${latestRevision}`;
}

export const fullText = (queue: QueueHealth | undefined) =>
  queue?.timeToFull ? `full in ${spanText(durationMs(queue.timeToFull))}` : "";

/** "12,345 points, 1.2 MB of 500 MB". */
export function queueText(queue: QueueHealth | undefined): string {
  if (!queue) return "";
  const size = (bytes: bigint) => sizeText(Number(bytes));
  const limit = queue.limitBytes > 0n ? ` of ${size(queue.limitBytes)}` : "";
  const points = `${countText(queue.queuedPoints)} ${queue.queuedPoints === 1n ? "point" : "points"}`;
  return `${points}, ${size(queue.queuedBytes)}${limit}`;
}

/** "Linux 6.1 x64". */
export const systemText = (host: Host) =>
  [
    enumWord(Host_OperatingSystemSchema, host.operatingSystem),
    host.kernelVersion,
    host.architecture,
  ]
    .filter(Boolean)
    .join(" ");
