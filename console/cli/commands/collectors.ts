import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { type Capability, CapabilitySchema } from "../../../gen/lumetry/access/v1/access_pb.js";
import {
  CollectorService,
  DismissCollectorDuplicateResponseSchema,
  GetCollectorResponseSchema,
  ListCollectorContactsResponseSchema,
  ListCollectorDropsResponseSchema,
  ListCollectorsResponseSchema,
  RequestCollectorRotationResponseSchema,
  RevokeCollectorResponseSchema,
  UpdateCollectorResponseSchema,
} from "../../../gen/lumetry/v1/collector_service_pb.js";
import { type EdgeStatus, EdgeStatusSchema } from "../../../gen/lumetry/v1/edge_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { type Cli, example } from "../cli.ts";
import { collectorFacts, collectorTable, zoneNames } from "../collector-text.ts";
import { contactTable, dropTable } from "../edge-text.ts";
import { allPages } from "../pages.ts";
import { resolveCollector, resolveZone } from "../resolve.ts";
import { confirmRevocation } from "../revocation.ts";
import { plain } from "../terminal.ts";
import { enumWord, enumWords, readCount, readEnums } from "../words.ts";
import { addEnrollment } from "./collector-enrollment.ts";

export function addCollectors(program: Command, cli: Cli): void {
  const collectors = program
    .command("collectors")
    .description("Collectors: register, watch and revoke them.");
  const client = () => cli.signedIn().client(CollectorService);
  const named = (command: Command) => command.argument("<collector>", "name or id");

  addEnrollment(collectors, cli);

  example(
    collectors
      .command("list")
      .description("List collectors, newest first, and what needs attention.")
      .option("--zone <zone>", "only this zone's")
      .option(
        "--status <status...>",
        `only those that are ${enumWords(EdgeStatusSchema).join(", ")}`,
        readEnums<EdgeStatus>(EdgeStatusSchema),
      )
      .action(async (options: { zone?: string; status?: EdgeStatus[] }) => {
        const connection = cli.signedIn();
        const zones = connection.client(ZoneService);
        const zoneId = options.zone === undefined ? "" : await resolveZone(zones, options.zone);
        const statuses = options.status ?? [];
        const asked = connection.client(CollectorService);
        const [found, names] = await Promise.all([
          allPages(
            (page) => asked.listCollectors({ ...page, zoneId, statuses }),
            (page) => page.collectors,
          ),
          cli.json ? new Map<string, string>() : zoneNames(zones),
        ]);
        const response = create(ListCollectorsResponseSchema, { collectors: found });
        cli.answer(ListCollectorsResponseSchema, response, () =>
          collectorTable(found, names, cli.terminal),
        );
      }),
    "lumetry collectors list",
    "lumetry collectors list --zone Lyon --status active duplicate_suspected",
  );

  example(
    named(collectors.command("show").description("Show all that is known of a collector.")).action(
      async (meant: string) => {
        const connection = cli.signedIn();
        const asked = connection.client(CollectorService);
        const collectorId = await resolveCollector(asked, meant);
        const [response, names] = await Promise.all([
          asked.getCollector({ collectorId }),
          cli.json ? new Map<string, string>() : zoneNames(connection.client(ZoneService)),
        ]);
        cli.answer(GetCollectorResponseSchema, response, () =>
          response.collector
            ? collectorFacts(response.collector, names, cli.terminal, cli.now())
            : "",
        );
      },
    ),
    "lumetry collectors show edge-lyon-1",
  );

  example(
    named(collectors.command("rename").description("Give a collector another name."))
      .argument("<name>", "its new name")
      .action(async (meant: string, displayName: string) => {
        const asked = client();
        const collectorId = await resolveCollector(asked, meant);
        const response = await asked.updateCollector({ collectorId, displayName });
        cli.answer(
          UpdateCollectorResponseSchema,
          response,
          () => `${collectorId} is now named "${plain(response.collector?.displayName ?? "")}".`,
        );
      }),
    "lumetry collectors rename edge-lyon-1 edge-lyon-2",
  );

  example(
    named(
      collectors
        .command("grant")
        .description("Grant a collector capabilities besides those it has, or take them back."),
    )
      .argument("<capability...>", enumWords(CapabilitySchema).join(", "), readCapabilities)
      .option("--take-back", "take these capabilities back")
      .action(async (meant: string, changed: Capability[], options: { takeBack?: boolean }) => {
        const asked = client();
        const collectorId = await resolveCollector(asked, meant);
        const { collector } = await asked.getCollector({ collectorId });
        const before = collector?.grantedCapabilities ?? [];
        const capabilities = options.takeBack
          ? before.filter((capability) => !changed.includes(capability))
          : [...new Set([...before, ...changed])];
        const response = await asked.updateCollector({
          collectorId,
          grantedCapabilities: { capabilities },
        });
        cli.answer(UpdateCollectorResponseSchema, response, () => {
          const granted = response.collector?.grantedCapabilities ?? [];
          const list = granted.map((each) => enumWord(CapabilitySchema, each)).join(", ");
          return `${plain(response.collector?.displayName ?? "")} is granted ${list || "nothing"}.`;
        });
      }),
    "lumetry collectors grant edge-lyon-1 poll_source test_source",
    "lumetry collectors grant edge-lyon-1 test_source --take-back",
  );

  example(
    named(
      collectors.command("rotate").description("Ask a collector to replace its credential."),
    ).action(async (meant: string) => {
      const asked = client();
      const collectorId = await resolveCollector(asked, meant);
      const response = await asked.requestCollectorRotation({ collectorId });
      cli.answer(
        RequestCollectorRotationResponseSchema,
        response,
        () => `${plain(meant)} will replace its credential at its next heartbeat.`,
      );
    }),
    "lumetry collectors rotate edge-lyon-1",
  );

  example(
    named(
      collectors
        .command("dismiss-duplicate")
        .description("Say that a suspected duplicate was looked into and is over."),
    ).action(async (meant: string) => {
      const asked = client();
      const collectorId = await resolveCollector(asked, meant);
      const response = await asked.dismissCollectorDuplicate({ collectorId });
      cli.answer(
        DismissCollectorDuplicateResponseSchema,
        response,
        () =>
          `${plain(meant)} is active again. The suspicion comes back if two processes go on sharing the credential.`,
      );
    }),
    "lumetry collectors dismiss-duplicate edge-lyon-1",
  );

  example(
    named(
      collectors.command("revoke").description("End a collector's identity, at once and for good."),
    )
      .option("--yes", "do not ask")
      .action(async (meant: string, options: { yes?: boolean }) => {
        const asked = client();
        const collectorId = await resolveCollector(asked, meant);
        if (!options.yes) {
          const { collector } = await asked.getCollector({ collectorId });
          await confirmRevocation(cli, collector?.displayName ?? collectorId);
        }
        const response = await asked.revokeCollector({ collectorId });
        cli.answer(
          RevokeCollectorResponseSchema,
          response,
          () => `${plain(meant)} is revoked. To replace it, create another collector.`,
        );
      }),
    "lumetry collectors revoke edge-lyon-1",
  );

  example(
    named(
      collectors
        .command("heartbeats")
        .description("Show when a collector was heard of, and how long it was silent in between."),
    )
      .option("--limit <count>", "how many lines, newest first", readCount(1), 50)
      .action(async (meant: string, options: { limit: number }) => {
        const asked = client();
        const collectorId = await resolveCollector(asked, meant);
        // One more than is shown: the silence before the last line began with it.
        const loaded = await allPages(
          (page) => asked.listCollectorContacts({ ...page, collectorId }),
          (page) => page.contacts,
          options.limit + 1,
        );
        const contacts = loaded.slice(0, options.limit);
        const response = create(ListCollectorContactsResponseSchema, { contacts });
        cli.answer(ListCollectorContactsResponseSchema, response, () =>
          contactTable(loaded, options.limit, plain(meant), cli.terminal, cli.now()),
        );
      }),
    "lumetry collectors heartbeats edge-lyon-1",
  );

  example(
    named(
      collectors.command("drops").description("Show what a collector's queue has lost, and why."),
    )
      .option("--limit <count>", "how many lines, newest first", readCount(1), 50)
      .action(async (meant: string, options: { limit: number }) => {
        const asked = client();
        const collectorId = await resolveCollector(asked, meant);
        const drops = await allPages(
          (page) => asked.listCollectorDrops({ ...page, collectorId }),
          (page) => page.drops,
          options.limit,
        );
        const response = create(ListCollectorDropsResponseSchema, { drops });
        cli.answer(ListCollectorDropsResponseSchema, response, () =>
          dropTable(drops, plain(meant), cli.terminal, cli.now()),
        );
      }),
    "lumetry collectors drops edge-lyon-1",
  );
}

const readCapabilities = readEnums<Capability>(CapabilitySchema);
