import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  AgentService,
  DismissAgentDuplicateResponseSchema,
  GetAgentResponseSchema,
  ListAgentContactsResponseSchema,
  ListAgentDropsResponseSchema,
  ListAgentsResponseSchema,
  MoveAgentResponseSchema,
  RequestAgentRotationResponseSchema,
  RevokeAgentResponseSchema,
  UpdateAgentResponseSchema,
} from "../../../gen/lumetry/v1/agent_service_pb.js";
import { CollectorService } from "../../../gen/lumetry/v1/collector_service_pb.js";
import { type EdgeStatus, EdgeStatusSchema } from "../../../gen/lumetry/v1/edge_pb.js";
import { EnrollmentProfileService } from "../../../gen/lumetry/v1/enrollment_profile_service_pb.js";
import { TopologyService } from "../../../gen/lumetry/v1/topology_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { agentFacts, agentTable } from "../agent-text.ts";
import { type Cli, example } from "../cli.ts";
import { zoneNames } from "../collector-text.ts";
import { contactTable, dropTable } from "../edge-text.ts";
import { usageError } from "../errors.ts";
import { allPages } from "../pages.ts";
import {
  resolveAgent,
  resolveCluster,
  resolveCollector,
  resolveProfile,
  resolveZone,
} from "../resolve.ts";
import { confirmRevocation } from "../revocation.ts";
import { plain } from "../terminal.ts";
import { readCount, readEnums } from "../words.ts";

interface ListOptions {
  search?: string;
  zone?: string;
  cluster?: string;
  unassigned?: boolean;
  through?: string;
  profile?: string;
  status?: EdgeStatus[];
  limit: number;
}

const STATUS_WORDS = "active, duplicate_suspected, revoked";

export function addAgents(program: Command, cli: Cli): void {
  const agents = program.command("agents").description("Hosts that run an agent.");
  const client = () => cli.signedIn().client(AgentService);
  const named = (command: Command) => command.argument("<agent>", "name or id");

  example(
    agents
      .command("list")
      .description("List hosts, newest first, and what needs attention.")
      .option("--search <text>", "only those whose name, host, id or version holds it")
      .option("--zone <zone>", "only this zone's")
      .option("--cluster <cluster>", "only this cluster's")
      .option("--unassigned", "only those in no cluster")
      .option("--through <collector>", "only those whose last call came through this collector")
      .option("--profile <profile>", "only those that enrolled by this profile")
      .option(
        "--status <status...>",
        `only those that are ${STATUS_WORDS}`,
        readEnums<EdgeStatus>(EdgeStatusSchema),
      )
      .option("--limit <count>", "how many", readCount(1), 1000)
      .action(async (options: ListOptions) => {
        const filter = await readFilter(cli, options);
        const connection = cli.signedIn();
        const [found, names] = await Promise.all([
          allPages(
            (page) => connection.client(AgentService).listAgents({ ...page, ...filter }),
            (page) => page.agents,
            options.limit,
          ),
          cli.json ? new Map<string, string>() : zoneNames(connection.client(ZoneService)),
        ]);
        const response = create(ListAgentsResponseSchema, { agents: found });
        const isFiltered = Object.keys(options).length > 1;
        cli.answer(ListAgentsResponseSchema, response, () =>
          agentTable(found, names, cli.terminal, isFiltered),
        );
      }),
    "lumetry agents list",
    "lumetry agents list --search web --cluster ANVMBWEBWX",
    "lumetry agents list --through edge-lyon-1",
  );

  example(
    named(agents.command("show").description("Show all that is known of a host.")).action(
      async (meant: string) => {
        const connection = cli.signedIn();
        const asked = connection.client(AgentService);
        const agentId = await resolveAgent(asked, meant);
        const [response, names] = await Promise.all([
          asked.getAgent({ agentId }),
          cli.json ? new Map<string, string>() : zoneNames(connection.client(ZoneService)),
        ]);
        cli.answer(GetAgentResponseSchema, response, () =>
          response.agent ? agentFacts(response.agent, names, cli.terminal, cli.now()) : "",
        );
      },
    ),
    "lumetry agents show web-1",
  );

  example(
    named(agents.command("rename").description("Give a host another name."))
      .argument("<name>", "its new name")
      .action(async (meant: string, displayName: string) => {
        const asked = client();
        const agentId = await resolveAgent(asked, meant);
        const response = await asked.updateAgent({ agentId, displayName });
        cli.answer(
          UpdateAgentResponseSchema,
          response,
          () => `${agentId} is now named "${plain(response.agent?.displayName ?? "")}".`,
        );
      }),
    "lumetry agents rename web-1 mail-1",
  );

  example(
    named(
      agents.command("move").description("Place a host in a cluster, or say which zone it is in."),
    )
      .option("--cluster <cluster>", "name or id of the cluster")
      .option("--no-cluster", "in no cluster")
      .option("--zone <zone>", "name or id of the zone; collectors of others may not relay for it")
      .action(async (meant: string, options: { cluster?: string | boolean; zone?: string }) => {
        await move(cli, meant, options);
      }),
    "lumetry agents move web-1 --cluster ANVMBWEBWX",
    "lumetry agents move web-1 --zone Lyon",
  );

  example(
    named(agents.command("rotate").description("Ask a host to replace its credential.")).action(
      async (meant: string) => {
        const asked = client();
        const agentId = await resolveAgent(asked, meant);
        const response = await asked.requestAgentRotation({ agentId });
        cli.answer(
          RequestAgentRotationResponseSchema,
          response,
          () => `${plain(meant)} will replace its credential at its next heartbeat.`,
        );
      },
    ),
    "lumetry agents rotate web-1",
  );

  example(
    named(
      agents
        .command("dismiss-duplicate")
        .description("Say that a suspected duplicate was looked into and is over."),
    ).action(async (meant: string) => {
      const asked = client();
      const agentId = await resolveAgent(asked, meant);
      const response = await asked.dismissAgentDuplicate({ agentId });
      cli.answer(
        DismissAgentDuplicateResponseSchema,
        response,
        () =>
          `${plain(meant)} is active again. The suspicion comes back if two processes go on sharing the credential.`,
      );
    }),
    "lumetry agents dismiss-duplicate web-1",
  );

  example(
    named(agents.command("revoke").description("End a host's identity, at once and for good."))
      .option("--yes", "do not ask")
      .action(async (meant: string, options: { yes?: boolean }) => {
        const asked = client();
        const agentId = await resolveAgent(asked, meant);
        if (!options.yes) {
          const { agent } = await asked.getAgent({ agentId });
          await confirmRevocation(cli, agent?.displayName ?? agentId);
        }
        const response = await asked.revokeAgent({ agentId });
        cli.answer(
          RevokeAgentResponseSchema,
          response,
          () => `${plain(meant)} is revoked. The host may enroll again, as another agent.`,
        );
      }),
    "lumetry agents revoke web-1",
  );

  example(
    named(
      agents
        .command("heartbeats")
        .description("Show when a host was heard of, and how long it was silent in between."),
    )
      .option("--limit <count>", "how many lines, newest first", readCount(1), 50)
      .action(async (meant: string, options: { limit: number }) => {
        const asked = client();
        const agentId = await resolveAgent(asked, meant);
        // One more than is shown: the silence before the last line began with it.
        const loaded = await allPages(
          (page) => asked.listAgentContacts({ ...page, agentId }),
          (page) => page.contacts,
          options.limit + 1,
        );
        const contacts = loaded.slice(0, options.limit);
        const response = create(ListAgentContactsResponseSchema, { contacts });
        cli.answer(ListAgentContactsResponseSchema, response, () =>
          contactTable(loaded, options.limit, plain(meant), cli.terminal, cli.now()),
        );
      }),
    "lumetry agents heartbeats web-1",
  );

  example(
    named(agents.command("drops").description("Show what a host's queue has lost, and why."))
      .option("--limit <count>", "how many lines, newest first", readCount(1), 50)
      .action(async (meant: string, options: { limit: number }) => {
        const asked = client();
        const agentId = await resolveAgent(asked, meant);
        const drops = await allPages(
          (page) => asked.listAgentDrops({ ...page, agentId }),
          (page) => page.drops,
          options.limit,
        );
        const response = create(ListAgentDropsResponseSchema, { drops });
        cli.answer(ListAgentDropsResponseSchema, response, () =>
          dropTable(drops, plain(meant), cli.terminal, cli.now()),
        );
      }),
    "lumetry agents drops web-1",
  );
}

async function readFilter(cli: Cli, options: ListOptions) {
  const { search = "", zone, cluster, unassigned = false, through, profile, status } = options;
  if (cluster !== undefined && unassigned) {
    throw usageError("Use --cluster or --unassigned, not both.");
  }
  const connection = cli.signedIn();
  const id = (meant: string | undefined, resolve: (meant: string) => Promise<string>) =>
    meant === undefined ? "" : resolve(meant);
  const [zoneId, clusterId, collectorId, profileId] = await Promise.all([
    id(zone, (meant) => resolveZone(connection.client(ZoneService), meant)),
    id(cluster, (meant) => resolveCluster(connection.client(TopologyService), meant)),
    id(through, (meant) => resolveCollector(connection.client(CollectorService), meant)),
    id(profile, (meant) => resolveProfile(connection.client(EnrollmentProfileService), meant)),
  ]);
  return { search, zoneId, clusterId, unassigned, collectorId, profileId, statuses: status ?? [] };
}

async function move(
  cli: Cli,
  meant: string,
  { cluster, zone }: { cluster?: string | boolean; zone?: string },
): Promise<void> {
  const isPlaced = typeof cluster === "string" || cluster === false;
  if (isPlaced === (zone !== undefined)) {
    throw usageError("Say where to: --cluster, --no-cluster or --zone, one of them.");
  }
  const connection = cli.signedIn();
  const asked = connection.client(AgentService);
  const agentId = await resolveAgent(asked, meant);
  if (zone !== undefined) {
    const zoneId = await resolveZone(connection.client(ZoneService), zone);
    const response = await asked.moveAgent({ agentId, zoneId });
    const words = `${plain(meant)} is in the zone ${plain(zone)} now: its collectors may relay for it, and no others.`;
    return cli.answer(MoveAgentResponseSchema, response, () => words);
  }
  const clusterId =
    typeof cluster === "string"
      ? await resolveCluster(connection.client(TopologyService), cluster)
      : "";
  const response = await asked.updateAgent({ agentId, clusterId });
  cli.answer(UpdateAgentResponseSchema, response, () =>
    response.agent?.clusterId
      ? `${plain(meant)} is in the cluster ${plain(response.agent.clusterName)} now.`
      : `${plain(meant)} is in no cluster now.`,
  );
}
