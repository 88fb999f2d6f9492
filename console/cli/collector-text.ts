import type { Client } from "@connectrpc/connect";
import { CapabilitySchema } from "../../gen/lumetry/access/v1/access_pb.js";
import type { RelayHealth } from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import type { Collector } from "../../gen/lumetry/v1/collector_pb.js";
import { EdgeStatusSchema, EdgeStatus as Status } from "../../gen/lumetry/v1/edge_pb.js";
import type { ZoneService } from "../../gen/lumetry/v1/zone_service_pb.js";
import {
  attentionLines,
  healthColumns,
  healthFacts,
  healthParagraphs,
  STATUS_STYLES,
  seenText,
} from "./edge-text.ts";
import { allPages } from "./pages.ts";
import { facts, table } from "./table.ts";
import { plain, type Terminal } from "./terminal.ts";
import { counted, countText, enumWord, momentText } from "./words.ts";

/** The names of all zones by id. */
export async function zoneNames(client: Client<typeof ZoneService>): Promise<Map<string, string>> {
  const zones = await allPages(client.listZones, (page) => page.zones);
  return new Map(zones.map(({ zoneId, displayName }) => [zoneId, displayName]));
}

function statusText(collector: Collector): string {
  const word = enumWord(EdgeStatusSchema, collector.status);
  return collector.enrollmentTokenExpired && collector.status === Status.PENDING
    ? `${word}, token expired`
    : word;
}

export function collectorTable(
  collectors: Collector[],
  zones: Map<string, string>,
  terminal: Terminal,
): string {
  if (collectors.length === 0) {
    return 'There are no collectors here. Register one with "lumetry collectors create".';
  }
  const rows = table(
    collectors,
    [
      { title: "NAME", value: ({ displayName }) => displayName, least: 12 },
      { title: "ID", value: ({ collectorId }) => collectorId, rank: 2 },
      { title: "STATUS", value: statusText, style: ({ status }) => STATUS_STYLES[status] },
      {
        title: "LAST SEEN",
        value: seenText,
        style: ({ attention }) => (attention.length > 0 ? "yellow" : undefined),
      },
      { title: "ZONE", value: ({ zoneId }) => zones.get(zoneId) ?? "", least: 8, rank: 6 },
      ...healthColumns<Collector>(terminal),
      {
        title: "AGENTS",
        value: ({ relayedAgents }) => (relayedAgents > 0n ? countText(relayedAgents) : ""),
        align: "right",
        rank: 7,
      },
    ],
    terminal,
  );
  const attention = attentionLines(collectors, terminal);
  return attention === "" ? rows : `${rows}\n\n${attention}`;
}

/** Where agents reach its relay, and the key that they are to pin. */
function relayFacts(relay: RelayHealth | undefined): [string, string | undefined][] {
  if (!relay) return [];
  const key = Buffer.from(relay.publicKeySha256).toString("hex");
  return [
    [
      "relay",
      `${plain(relay.url)}${relay.cleartext && relay.url.startsWith("https:") ? ", also without TLS" : ""}`,
    ],
    ["relay's key", key && `sha256:${key}`],
    [
      "relayed",
      `${counted(relay.relayedCalls, "call")}, ${counted(relay.refusedCalls, "call")} turned away, ${counted(relay.connections, "open connection")}`,
    ],
  ];
}

/** Everything about one collector, in paragraphs. */
export function collectorFacts(
  collector: Collector,
  zones: Map<string, string>,
  terminal: Terminal,
  now: number,
): string {
  const { status } = collector;
  const capabilities = (list: number[]) =>
    list.map((each) => enumWord(CapabilitySchema, each)).join(", ");
  const health = healthFacts(collector, terminal, now);
  const paragraphs = [
    facts(
      [
        ["name", terminal.paint(plain(collector.displayName), "bold")],
        ["id", collector.collectorId],
        ["status", terminal.paint(statusText(collector), STATUS_STYLES[status] ?? "bold")],
        ["last seen", seenText(collector)],
        ["zone", `${plain(zones.get(collector.zoneId) ?? "")} ${collector.zoneId}`.trim()],
        ...health.before,
        ["granted", capabilities(collector.grantedCapabilities)],
        ["declared", capabilities(collector.declaredCapabilities)],
        ...relayFacts(collector.relay),
        [
          "agents behind it",
          collector.relayedAgents > 0n ? countText(collector.relayedAgents) : "",
        ],
        ["created", momentText(collector.createTime, now)],
        [
          collector.enrollmentTokenExpired ? "token expired" : "token ends",
          status === Status.PENDING ? momentText(collector.enrollmentTokenExpireTime, now) : "",
        ],
        ...health.after,
      ],
      terminal,
    ),
    ...healthParagraphs(collector, terminal, now),
  ];
  return paragraphs.filter(Boolean).join("\n\n");
}
