import type { Client } from "@connectrpc/connect";
import type { AccessTokenService } from "../../gen/lumetry/v1/access_token_service_pb.js";
import { AgentService } from "../../gen/lumetry/v1/agent_service_pb.js";
import type { ChannelService } from "../../gen/lumetry/v1/channel_service_pb.js";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import { EdgeStatus } from "../../gen/lumetry/v1/edge_pb.js";
import {
  EnrollmentProfileService,
  EnrollmentProfile_Status as ProfileStatus,
} from "../../gen/lumetry/v1/enrollment_profile_service_pb.js";
import type { IngestionKeyService } from "../../gen/lumetry/v1/ingestion_key_service_pb.js";
import type { NotificationRouteService } from "../../gen/lumetry/v1/notification_route_service_pb.js";
import type { RuleService } from "../../gen/lumetry/v1/rule_service_pb.js";
import type { SourceService } from "../../gen/lumetry/v1/source_service_pb.js";
import {
  TopologyNode_Kind,
  type TopologyService,
} from "../../gen/lumetry/v1/topology_service_pb.js";
import type { UserService } from "../../gen/lumetry/v1/user_service_pb.js";
import type { ZoneService } from "../../gen/lumetry/v1/zone_service_pb.js";
import type { Connection } from "./connection.ts";
import { CliError, usageError } from "./errors.ts";
import { allPages } from "./pages.ts";
import { plain } from "./terminal.ts";

/** Something that can be meant by its id or by a name. */
export interface Candidate {
  id: string;
  names: string[];
  /** Over and done with: meant by name only when nothing that lives has that name. */
  ended?: boolean;
}

/** More of one name are told apart by their ids only. */
const MOST_NAMESAKES = 1000;
const AN_ID = /^[a-z]{3}\.[a-z]{10}$/;

/**
 * The id of what a person means: an id is taken as it is, a name is looked up without regard to
 * case. Throws when nothing or more than one thing has that name.
 */
export async function resolveId(
  noun: string,
  meant: string,
  candidates: () => Promise<Candidate[]>,
): Promise<string> {
  if (AN_ID.test(meant)) return meant;
  const all = await candidates();
  const fold = (text: string) => text.normalize("NFC").toLowerCase();
  const named = all.filter(({ names }) => names.some((name) => fold(name) === fold(meant)));
  const living = named.filter(({ ended }) => !ended);
  const [found, ...others] = living.length > 0 ? living : named;
  if (found && others.length === 0) return found.id;
  if (found) {
    const ids = [found, ...others].map(
      ({ id, names }) => `  ${id}  ${names.map(plain).join("  ")}`,
    );
    throw new CliError(`${ids.length} ${noun}s are named ${JSON.stringify(meant)}.`, {
      hint: `Say which one by its id:\n${ids.join("\n")}`,
    });
  }
  const near = all
    .flatMap(({ names, ended }) => (ended ? [] : names.slice(0, 1)))
    .filter((name) => isNear(fold(name), fold(meant)))
    .slice(0, 3)
    .map((name) => `"${plain(name)}"`);
  throw new CliError(`There is no ${noun} named ${JSON.stringify(meant)}.`, {
    hint:
      near.length > 0
        ? `Did you mean ${near.join(" or ")}?`
        : `List them with "lumetry ${noun.split(" ").at(-1)}s list".`,
  });
}

/** Contains the other, or differs in a letter or, if it is longer, two. */
function isNear(name: string, meant: string): boolean {
  if (name.includes(meant) || (name.length > 2 && meant.includes(name))) return true;
  const most = Math.min(2, Math.floor(meant.length / 2));
  if (Math.abs(name.length - meant.length) > most) return false;
  let row = Array.from({ length: name.length + 1 }, (_cell, index) => index);
  for (const [index, letter] of [...meant].entries()) {
    const next = [index + 1];
    for (let at = 1; at <= name.length; at += 1) {
      const swap = (row[at - 1] ?? 0) + (name[at - 1] === letter ? 0 : 1);
      next.push(Math.min(swap, (row[at] ?? 0) + 1, (next[at - 1] ?? 0) + 1));
    }
    row = next;
  }
  return (row.at(-1) ?? most + 1) <= most;
}

export const resolveZone = (client: Client<typeof ZoneService>, meant: string) =>
  resolveId("zone", meant, async () => {
    const zones = await allPages(client.listZones, ({ zones }) => zones);
    return zones.map(({ zoneId, displayName }) => ({ id: zoneId, names: [displayName] }));
  });

/** The zone that is meant when none is named. */
export async function onlyZone(client: Client<typeof ZoneService>): Promise<string> {
  const { zones, nextPageToken } = await client.listZones({ pageSize: 10 });
  const [zone] = zones;
  if (zone && zones.length === 1) return zone.zoneId;
  if (!zone) {
    throw new CliError("There are no zones yet.", { hint: 'Add one with "lumetry zones create".' });
  }
  const names = zones.map(({ displayName }) => plain(displayName)).join(", ");
  throw usageError(
    "There is more than one zone.",
    `Name one with --zone: ${names}${nextPageToken && ", …"}`,
  );
}

export const resolveCollector = (client: Client<typeof CollectorService>, meant: string) =>
  resolveId("collector", meant, () => collectorCandidates(client));

async function collectorCandidates(client: Client<typeof CollectorService>): Promise<Candidate[]> {
  const collectors = await allPages(client.listCollectors, ({ collectors }) => collectors);
  return collectors.map(({ collectorId, displayName, status }) => ({
    id: collectorId,
    names: [displayName],
    ended: status === EdgeStatus.REVOKED,
  }));
}

/** Of hosts there may be very many: only those are asked for whose name holds what is meant. */
export const resolveAgent = (client: Client<typeof AgentService>, meant: string) =>
  resolveId("agent", meant, () => agentCandidates(client, meant));

async function agentCandidates(
  client: Client<typeof AgentService>,
  meant: string,
): Promise<Candidate[]> {
  const agents = await allPages(
    (page) => client.listAgents({ ...page, search: meant.slice(0, 128) }),
    (page) => page.agents,
    MOST_NAMESAKES,
  );
  return agents.map(({ agentId, displayName, status, latestAgentId }) => ({
    id: agentId,
    names: [displayName],
    // A machine that has enrolled again is meant by what it is now.
    ended: status === EdgeStatus.REVOKED || latestAgentId !== "",
  }));
}

export const resolveProfile = (client: Client<typeof EnrollmentProfileService>, meant: string) =>
  resolveId("profile", meant, () => profileCandidates(client));

async function profileCandidates(
  client: Client<typeof EnrollmentProfileService>,
): Promise<Candidate[]> {
  const profiles = await allPages(client.listEnrollmentProfiles, ({ profiles }) => profiles);
  return profiles.map(({ profileId, displayName, status }) => ({
    id: profileId,
    names: [displayName],
    ended: status !== ProfileStatus.ACTIVE,
  }));
}

/** What configuration is published for: a collector, an agent or an enrollment profile. */
export const resolveTarget = (connection: Connection, meant: string) =>
  resolveId("collector, agent or profile", meant, async () => {
    const found = await Promise.all([
      collectorCandidates(connection.client(CollectorService)),
      agentCandidates(connection.client(AgentService), meant),
      profileCandidates(connection.client(EnrollmentProfileService)),
    ]);
    return found.flat();
  });

export const resolveNode = (
  client: Client<typeof TopologyService>,
  noun: string,
  kinds: TopologyNode_Kind[],
  meant: string,
) =>
  resolveId(noun, meant, async () => {
    const nodes = await allPages(
      (page) => client.listTopologyNodes({ ...page, kinds }),
      (page) => page.nodes,
    );
    return nodes.map(({ nodeId, displayName }) => ({ id: nodeId, names: [displayName] }));
  });

export const resolveCluster = (client: Client<typeof TopologyService>, meant: string) =>
  resolveNode(client, "cluster", [TopologyNode_Kind.CLUSTER], meant);

export const resolveUser = (client: Client<typeof UserService>, meant: string) =>
  resolveId("user", meant, async () => {
    const users = await allPages(client.listUsers, ({ users }) => users);
    return users.map(({ userId, email, displayName }) => ({
      id: userId,
      names: [email, displayName],
    }));
  });

export const resolveAccessToken = (client: Client<typeof AccessTokenService>, meant: string) =>
  resolveId("access token", meant, async () => {
    const tokens = await allPages(client.listAccessTokens, ({ accessTokens }) => accessTokens);
    return tokens.map(({ accessTokenId, displayName, revokeTime }) => ({
      id: accessTokenId,
      names: [displayName],
      ended: revokeTime !== undefined,
    }));
  });

export const resolveIngestionKey = (client: Client<typeof IngestionKeyService>, meant: string) =>
  resolveId("ingestion key", meant, async () => {
    const keys = await allPages(client.listIngestionKeys, ({ ingestionKeys }) => ingestionKeys);
    return keys.map(({ ingestionKeyId, displayName, revokeTime }) => ({
      id: ingestionKeyId,
      names: [displayName],
      ended: revokeTime !== undefined,
    }));
  });

export const resolveSource = (client: Client<typeof SourceService>, meant: string) =>
  resolveId("source", meant, async () => {
    const sources = await allPages(client.listSources, ({ sources }) => sources);
    return sources.map(({ sourceId, displayName }) => ({ id: sourceId, names: [displayName] }));
  });

export const resolveChannel = (client: Client<typeof ChannelService>, meant: string) =>
  resolveId("channel", meant, async () => {
    const channels = await allPages(client.listChannels, ({ channels }) => channels);
    return channels.map(({ channelId, displayName }) => ({ id: channelId, names: [displayName] }));
  });

export const resolveRoute = (client: Client<typeof NotificationRouteService>, meant: string) =>
  resolveId("route", meant, async () => {
    const { routes } = await client.listNotificationRoutes({});
    return routes.map(({ routeId, settings }) => ({
      id: routeId,
      names: [settings?.displayName ?? ""],
    }));
  });

export const resolveRule = (client: Client<typeof RuleService>, meant: string) =>
  resolveId("rule", meant, async () => {
    const rules = await allPages(client.listRules, ({ rules }) => rules);
    return rules.map(({ ruleId, settings }) => ({
      id: ruleId,
      names: [settings?.displayName ?? ""],
    }));
  });
