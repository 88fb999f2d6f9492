import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  CreateTopologyNodeResponseSchema,
  DeleteTopologyNodeResponseSchema,
  GetTopologyNodeResponseSchema,
  TopologyNode_Kind as Kind,
  ListTopologyNodesResponseSchema,
  type TopologyNode,
  TopologyService,
  UpdateTopologyNodeResponseSchema,
} from "../../../gen/lumetry/v1/topology_service_pb.js";
import { type Cli, example } from "../cli.ts";
import { allPages } from "../pages.ts";
import { resolveNode } from "../resolve.ts";
import { facts, table } from "../table.ts";
import { plain } from "../terminal.ts";
import { ageOf, countText, momentText } from "../words.ts";

/** One family of commands for each kind of node: they differ in what may hold what. */
const FAMILIES = [
  {
    kind: Kind.CLUSTER,
    noun: "cluster",
    description: "Clusters, in which hosts are placed.",
    holders: [Kind.SITE, Kind.GROUP],
    name: "ANVMBWEBWX",
  },
  {
    kind: Kind.GROUP,
    noun: "group",
    description: "Groups of clusters.",
    holders: [Kind.SITE],
    name: "web",
  },
  {
    kind: Kind.SITE,
    noun: "site",
    description: "Sites, in which groups and clusters are.",
    holders: [],
    name: "Lyon",
  },
] as const;

type Family = (typeof FAMILIES)[number];

export function addTopology(program: Command, cli: Cli): void {
  for (const family of FAMILIES) addFamily(program, cli, family);
}

function addFamily(program: Command, cli: Cli, family: Family): void {
  const { kind, noun, holders, name } = family;
  const nouns = `${noun}s`;
  const commands = program.command(nouns).description(family.description);
  const client = () => cli.signedIn().client(TopologyService);
  const resolve = (meant: string) => resolveNode(client(), noun, [kind], meant);
  const named = (command: Command) => command.argument(`<${noun}>`, "name or id");
  const resolveHolder = (meant: string) =>
    resolveNode(client(), holders.length === 1 ? "site" : "site or group", [...holders], meant);

  const creating = commands
    .command("create")
    .description(`Add a ${noun}.`)
    .argument("<name>", "what people call it; hosts may ask for it in upper or lower case");
  if (holders.length > 0) creating.option("--in <node>", "the site or group that holds it");
  example(
    creating.action(async (displayName: string, options: { in?: string }) => {
      const parentId = options.in === undefined ? "" : await resolveHolder(options.in);
      const response = await client().createTopologyNode({ kind, displayName, parentId });
      cli.answer(
        CreateTopologyNodeResponseSchema,
        response,
        () => `The ${noun} "${plain(displayName)}" was created: ${response.node?.nodeId}`,
      );
    }),
    `lumetry ${nouns} create ${name}`,
  );

  example(
    commands
      .command("list")
      .description(`List all ${nouns}, by name.`)
      .action(async () => {
        const asked = client();
        const [nodes, all] = await Promise.all([
          allPages(
            (page) => asked.listTopologyNodes({ ...page, kinds: [kind] }),
            (page) => page.nodes,
          ),
          allPages(
            (page) => asked.listTopologyNodes({ ...page, kinds: [Kind.SITE, Kind.GROUP] }),
            (page) => page.nodes,
          ),
        ]);
        const holderNames = new Map(all.map(({ nodeId, displayName }) => [nodeId, displayName]));
        const response = create(ListTopologyNodesResponseSchema, { nodes });
        cli.answer(ListTopologyNodesResponseSchema, response, () =>
          nodeTable(cli, nodes, holderNames, family),
        );
      }),
    `lumetry ${nouns} list`,
  );

  example(
    named(commands.command("show").description(`Show one ${noun}.`)).action(
      async (meant: string) => {
        const response = await client().getTopologyNode({ nodeId: await resolve(meant) });
        cli.answer(GetTopologyNodeResponseSchema, response, () => show(cli, response.node, kind));
      },
    ),
    `lumetry ${nouns} show ${name}`,
  );

  example(
    named(commands.command("rename").description(`Give a ${noun} another name; its id stays.`))
      .argument("<name>", "its new name")
      .action(async (meant: string, displayName: string) => {
        const nodeId = await resolve(meant);
        const response = await client().updateTopologyNode({ nodeId, displayName });
        cli.answer(
          UpdateTopologyNodeResponseSchema,
          response,
          () => `${nodeId} is now named "${plain(response.node?.displayName ?? "")}".`,
        );
      }),
    `lumetry ${nouns} rename ${name} ${name}-2`,
  );

  if (holders.length > 0) {
    example(
      named(commands.command("move").description(`Put a ${noun} somewhere else on the map.`))
        .argument("[node]", "the site or group that is to hold it; at the top when not given")
        .action(async (meant: string, holder: string | undefined) => {
          const nodeId = await resolve(meant);
          const parentId = holder === undefined ? "" : await resolveHolder(holder);
          const response = await client().updateTopologyNode({ nodeId, parentId });
          cli.answer(UpdateTopologyNodeResponseSchema, response, () =>
            holder === undefined
              ? `${plain(meant)} is at the top now.`
              : `${plain(meant)} is in ${plain(holder)} now.`,
          );
        }),
      `lumetry ${nouns} move ${name} Lyon`,
    );
  }

  example(
    named(commands.command("delete").description(`Remove a ${noun} that is empty.`)).action(
      async (meant: string) => {
        const response = await client().deleteTopologyNode({ nodeId: await resolve(meant) });
        cli.answer(
          DeleteTopologyNodeResponseSchema,
          response,
          () => `The ${noun} ${plain(meant)} was deleted.`,
        );
      },
    ),
    `lumetry ${nouns} delete ${name}`,
  );
}

function nodeTable(
  cli: Cli,
  nodes: TopologyNode[],
  holders: Map<string, string>,
  { kind, noun }: Family,
): string {
  if (nodes.length === 0) {
    return `There are no ${noun}s yet. Add one with "lumetry ${noun}s create".`;
  }
  return table(
    nodes,
    [
      { title: "NAME", value: ({ displayName }) => displayName, least: 12 },
      { title: "ID", value: ({ nodeId }) => nodeId },
      ...(kind === Kind.CLUSTER
        ? [
            {
              title: "HOSTS",
              value: ({ agents }: TopologyNode) => countText(agents),
              align: "right" as const,
            },
          ]
        : []),
      { title: "IN", value: ({ parentId }) => holders.get(parentId) ?? "", least: 8, rank: 1 },
      { title: "CREATED", value: ({ createTime }) => ageOf(createTime, cli.now()), rank: 2 },
    ],
    cli.terminal,
  );
}

function show(cli: Cli, node: TopologyNode | undefined, kind: Kind): string {
  if (!node) return "";
  return facts(
    [
      ["name", plain(node.displayName)],
      ["id", node.nodeId],
      ["in", node.parentId],
      ["hosts", kind === Kind.CLUSTER ? countText(node.agents) : ""],
      ["created", momentText(node.createTime, cli.now())],
    ],
    cli.terminal,
  );
}
