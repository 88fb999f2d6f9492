import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  CreateZoneResponseSchema,
  DeleteZoneResponseSchema,
  GetZoneResponseSchema,
  ListZonesResponseSchema,
  UpdateZoneResponseSchema,
  type Zone,
  ZoneService,
} from "../../../gen/lumetry/v1/zone_service_pb.js";
import { definedOnly } from "../../../lib/defined.ts";
import { type Cli, example } from "../cli.ts";
import { usageError } from "../errors.ts";
import { allPages } from "../pages.ts";
import { resolveZone } from "../resolve.ts";
import { facts, table } from "../table.ts";
import { plain } from "../terminal.ts";
import { ageOf, momentText, readSwitch } from "../words.ts";

const CLEARTEXT = "whether hosts may reach the zone's collectors without TLS: on or off";

export function addZones(program: Command, cli: Cli): void {
  const zones = program
    .command("zones")
    .description("Customer networks; every collector and every host belongs to one.");
  const client = () => cli.signedIn().client(ZoneService);

  example(
    zones
      .command("create")
      .description("Add a zone.")
      .argument("<name>", "unique in the workspace")
      .option("--allow <network...>", "networks that work inside the zone may connect to")
      .option("--cleartext-relay <switch>", CLEARTEXT, readSwitch)
      .action(
        async (displayName: string, options: { allow?: string[]; cleartextRelay?: boolean }) => {
          const response = await client().createZone({
            displayName,
            allowedNetworks: options.allow ?? [],
            ...definedOnly({ allowCleartextRelay: options.cleartextRelay }),
          });
          cli.answer(
            CreateZoneResponseSchema,
            response,
            () => `The zone "${plain(displayName)}" was created: ${response.zone?.zoneId}`,
          );
        },
      ),
    "lumetry zones create Lyon --allow 10.20.0.0/16 10.21.0.0/16",
  );

  example(
    zones
      .command("list")
      .description("List all zones.")
      .option("--search <text>", "only those whose name holds it, or whose id it is")
      .action(async ({ search = "" }: { search?: string }) => {
        const asked = client();
        const found = await allPages(
          (page) => asked.listZones({ ...page, search }),
          (page) => page.zones,
        );
        const response = create(ListZonesResponseSchema, { zones: found });
        cli.answer(ListZonesResponseSchema, response, () => zoneTable(cli, found));
      }),
    "lumetry zones list",
    "lumetry zones list --search lyon",
  );

  example(
    zones
      .command("show")
      .description("Show one zone.")
      .argument("<zone>", "name or id")
      .action(async (meant: string) => {
        const asked = client();
        const response = await asked.getZone({ zoneId: await resolveZone(asked, meant) });
        cli.answer(GetZoneResponseSchema, response, () => show(cli, response.zone));
      }),
    "lumetry zones show Lyon",
  );

  example(
    zones
      .command("update")
      .description("Change a zone's name, networks or relays.")
      .argument("<zone>", "name or id")
      .option("--name <name>", "its new name")
      .option("--allow <network...>", "the networks, in place of those it had")
      .option("--allow-private", "allow every private network again")
      .option("--cleartext-relay <switch>", CLEARTEXT, readSwitch)
      .action(
        async (
          meant: string,
          options: {
            name?: string;
            allow?: string[];
            allowPrivate?: boolean;
            cleartextRelay?: boolean;
          },
        ) => {
          const { name, allow, allowPrivate, cleartextRelay } = options;
          if (allow && allowPrivate) throw usageError("Use --allow or --allow-private, not both.");
          const prefixes = allowPrivate ? [] : allow;
          if (name === undefined && !prefixes && cleartextRelay === undefined) {
            throw usageError(
              "Nothing is to be changed.",
              "Use --name, --allow, --allow-private or --cleartext-relay.",
            );
          }
          const asked = client();
          const response = await asked.updateZone({
            zoneId: await resolveZone(asked, meant),
            ...definedOnly({ displayName: name, allowCleartextRelay: cleartextRelay }),
            ...(prefixes && { allowedNetworks: { prefixes } }),
          });
          cli.answer(UpdateZoneResponseSchema, response, () => show(cli, response.zone));
        },
      ),
    'lumetry zones update Lyon --name "Lyon DC 2"',
    "lumetry zones update Lyon --cleartext-relay off",
  );

  example(
    zones
      .command("delete")
      .description("Remove a zone to which nothing belongs.")
      .argument("<zone>", "name or id")
      .action(async (meant: string) => {
        const asked = client();
        const zoneId = await resolveZone(asked, meant);
        const response = await asked.deleteZone({ zoneId });
        cli.answer(
          DeleteZoneResponseSchema,
          response,
          () => `The zone ${plain(meant)} was deleted.`,
        );
      }),
    "lumetry zones delete Lyon",
  );
}

const relayText = (zone: Zone) => (zone.allowCleartextRelay ? "on" : "off");
const networksText = (zone: Zone) => zone.allowedNetworks.join(" ") || "every private network";

function zoneTable(cli: Cli, zones: Zone[]): string {
  if (zones.length === 0) return 'There are no zones yet. Add one with "lumetry zones create".';
  return table(
    zones,
    [
      { title: "NAME", value: ({ displayName }) => displayName, least: 12 },
      { title: "ID", value: ({ zoneId }) => zoneId },
      { title: "ALLOWED NETWORKS", value: networksText, least: 16, rank: 1 },
      { title: "CLEARTEXT RELAY", value: relayText, rank: 3 },
      { title: "CREATED", value: ({ createTime }) => ageOf(createTime, cli.now()), rank: 2 },
    ],
    cli.terminal,
  );
}

function show(cli: Cli, zone: Zone | undefined): string {
  if (!zone) return "";
  return facts(
    [
      ["name", plain(zone.displayName)],
      ["id", zone.zoneId],
      ["allowed networks", networksText(zone)],
      ["cleartext relay", relayText(zone)],
      ["created", momentText(zone.createTime, cli.now())],
    ],
    cli.terminal,
  );
}
