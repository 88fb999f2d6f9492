import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type QueueHealth,
  type QueueHealth_Drop,
  QueueHealth_Drop_ReasonSchema,
} from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { type Host, Host_OperatingSystemSchema } from "../../gen/lumetry/edge/v1/host_pb.js";
import type { Agent } from "../../gen/lumetry/v1/agent_pb.js";
import type { Collector } from "../../gen/lumetry/v1/collector_pb.js";
import {
  type EdgeContact,
  type EdgeProcess,
  EdgeStatus as Status,
} from "../../gen/lumetry/v1/edge_pb.js";
import { ageText, spanText } from "../../lib/age.ts";
import { type Column, table } from "./table.ts";
import { plain, type Style, type Terminal, wrap } from "./terminal.ts";
import { sizeText, valueText } from "./units.ts";
import { ageOf, clockText, counted, countText, enumWord, momentText } from "./words.ts";

/** What collectors and agents have in common, and is shown alike. */
export type Edge = Collector | Agent;

/** From here on a clock is off: attention is drawn to it. */
const SKEWED_MS = 30_000;

export const STATUS_STYLES: Partial<Record<Status, Style>> = {
  [Status.ACTIVE]: "green",
  [Status.PENDING]: "yellow",
  [Status.DUPLICATE_SUSPECTED]: "red",
  [Status.REVOKED]: "dim",
};

export const seenText = ({ lastSeenAge }: Edge) =>
  lastSeenAge ? ageText(durationMs(lastSeenAge)) : "never";

const skewMs = ({ clockSkew }: Edge) => (clockSkew ? durationMs(clockSkew) : undefined);

/** "+1.25 s" when its clock is ahead; "" when not known. */
function skewText(edge: Edge): string {
  const ms = skewMs(edge);
  if (ms === undefined) return "";
  if (Math.abs(ms) < 1) return "0 ms";
  return `${ms > 0 ? "+" : "-"}${valueText(Math.abs(ms) / 1000, "s", "")}`;
}

/** "3" when the latest revision is in force, "2 → 3" on the way there, "2 (3 rejected)". */
function configText({ config }: Edge, { unicode }: Terminal): string {
  if (!config || config.latestRevision === 0n) return config ? "default" : "";
  const { latestRevision, runningRevision, rejected } = config;
  if (rejected) return `${runningRevision} (${latestRevision} rejected)`;
  return runningRevision === latestRevision
    ? `${runningRevision}`
    : `${runningRevision} ${unicode ? "→" : "->"} ${latestRevision}`;
}

/** The columns of a list that tell how edges are; ranks leave room for the others. */
export function healthColumns<Row extends Edge>(terminal: Terminal): Column<Row>[] {
  return [
    { title: "VERSION", value: ({ version }) => version, rank: 5 },
    {
      title: "QUEUED",
      value: ({ queue }) => (queue ? countText(queue.queuedPoints) : ""),
      align: "right",
      rank: 1,
    },
    {
      title: "DROPPED",
      value: ({ queue }) => (queue ? countText(queue.droppedPoints) : ""),
      align: "right",
      style: ({ queue }) => (queue && queue.droppedPoints > 0n ? "red" : undefined),
      rank: 1,
    },
    {
      title: "SKEW",
      value: skewText,
      align: "right",
      style: (edge) => (Math.abs(skewMs(edge) ?? 0) >= SKEWED_MS ? "red" : undefined),
      rank: 3,
    },
    {
      title: "CONFIG",
      value: (edge) => configText(edge, terminal),
      style: ({ config }) => (config?.rejected ? "red" : undefined),
      rank: 4,
    },
  ];
}

/** What both say of how they are and whence they come, name by name. */
export function healthFacts(edge: Edge, terminal: Terminal, now: number) {
  const { host, config, queue } = edge;
  return {
    before: [
      ["host", host && hostText(host)],
      ["version", plain(edge.version)],
      ["clock skew", skewText(edge)],
      ["queue", queueText(queue, now)],
      ["dropped", queue && counted(queue.droppedPoints, "point")],
      ["refused", queue && queue.refusedPoints > 0n ? counted(queue.refusedPoints, "point") : ""],
      ["config", configText(edge, terminal)],
      ["rejected because", config?.rejected ? plain(config.reason) : ""],
      ["ignored keys", config?.ignoredKeys.map(plain).join(", ")],
    ] as [string, string | undefined][],
    after: [
      ["enrolled", momentText(edge.enrollTime, now)],
      [
        "credential",
        edge.credentialCreateTime &&
          `issued ${momentText(edge.credentialCreateTime, now)}${edge.rotationRequested ? ", to be replaced" : ""}`,
      ],
      ["revoked", momentText(edge.revokeTime, now)],
    ] as [string, string | undefined][],
  };
}

/** What comes after the facts: attention, evidence, processes. */
export function healthParagraphs(edge: Edge, terminal: Terminal, now: number): string[] {
  const { duplicateEvidence: evidence, processes } = edge;
  return [
    attentionLines([edge], terminal),
    evidence ? wrap(plain(evidence.explanation), terminal.columns) : "",
    processes.length > 0 ? processTable(processes, terminal, now) : "",
  ];
}

/** What needs attention, a line for each matter. */
export function attentionLines(edges: Edge[], terminal: Terminal): string {
  return edges
    .flatMap(({ displayName, attention }) =>
      attention.map(({ message }) => {
        const text = wrap(`${plain(displayName)}: ${plain(message)}`, terminal.columns, "  ");
        return `${terminal.paint("!", "yellow", "bold")}${text.slice(1)}`;
      }),
    )
    .join("\n");
}

function queueText(queue: QueueHealth | undefined, now: number): string | undefined {
  if (!queue) return undefined;
  const bytes = (count: bigint) => sizeText(Number(count));
  const parts = [
    counted(queue.queuedPoints, "point"),
    `${bytes(queue.queuedBytes)}${queue.limitBytes > 0n ? ` of ${bytes(queue.limitBytes)}` : ""}`,
    queue.queuedPoints > 0n && queue.oldestPointTime
      ? `oldest ${ageOf(queue.oldestPointTime, now)}`
      : "",
    queue.timeToFull ? `full in ${spanText(durationMs(queue.timeToFull))}` : "",
  ];
  return parts.filter(Boolean).join(", ");
}

function hostText(host: Host): string {
  const system = [
    enumWord(Host_OperatingSystemSchema, host.operatingSystem),
    plain(host.kernelVersion),
    plain(host.architecture),
  ].filter(Boolean);
  return `${plain(host.hostname)}${system.length > 0 ? ` (${system.join(" ")})` : ""}`;
}

function processTable(processes: EdgeProcess[], terminal: Terminal, now: number): string {
  return table(
    processes,
    [
      { title: "PROCESS", value: ({ processId }) => processId, least: 12 },
      { title: "HOST", value: ({ hostname }) => hostname, least: 10 },
      { title: "ADDRESS", value: ({ address }) => address, rank: 2 },
      { title: "VERSION", value: ({ version }) => version, rank: 3 },
      { title: "FIRST SEEN", value: ({ firstSeenTime }) => ageOf(firstSeenTime, now), rank: 1 },
      { title: "LAST SEEN", value: ({ lastSeenTime }) => ageOf(lastSeenTime, now) },
      { title: "HEARTBEATS", value: ({ sequence }) => `${sequence}`, align: "right", rank: 4 },
    ],
    terminal,
  );
}

/** When it was heard of, newest first, with the silence before each: the latest few of these. */
export function contactTable(
  contacts: EdgeContact[],
  most: number,
  name: string,
  terminal: Terminal,
  now: number,
): string {
  if (contacts.length === 0) return `Nothing was heard of ${name} yet.`;
  const ms = (time: EdgeContact["startTime"]) => (time ? timestampMs(time) : 0);
  return table(
    contacts.slice(0, most).map((contact, index) => {
      const earlier = contacts[index + 1];
      return { ...contact, silence: earlier && ms(contact.startTime) - ms(earlier.endTime) };
    }),
    [
      { title: "FROM", value: ({ startTime }) => clockText(ms(startTime)) },
      { title: "TO", value: ({ endTime }) => clockText(ms(endTime)) },
      { title: "AGE", value: ({ endTime }) => ageOf(endTime, now), rank: 1 },
      { title: "FOR", value: ({ startTime, endTime }) => spanText(ms(endTime) - ms(startTime)) },
      { title: "HEARTBEATS", value: ({ heartbeats }) => countText(heartbeats), align: "right" },
      {
        title: "SILENT BEFORE",
        value: ({ silence }) => (silence === undefined ? "" : spanText(silence)),
      },
    ],
    terminal,
  );
}

export function dropTable(
  drops: QueueHealth_Drop[],
  name: string,
  terminal: Terminal,
  now: number,
): string {
  if (drops.length === 0) return `The queue of ${name} has lost nothing.`;
  return table(
    drops,
    [
      {
        title: "FROM",
        value: ({ startTime }) => (startTime ? clockText(timestampMs(startTime)) : ""),
      },
      { title: "TO", value: ({ endTime }) => (endTime ? clockText(timestampMs(endTime)) : "") },
      { title: "AGE", value: ({ endTime }) => ageOf(endTime, now), rank: 1 },
      { title: "POINTS", value: ({ points }) => countText(points), align: "right" },
      { title: "REASON", value: ({ reason }) => enumWord(QueueHealth_Drop_ReasonSchema, reason) },
    ],
    terminal,
  );
}
