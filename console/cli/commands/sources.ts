import { create } from "@bufbuild/protobuf";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { CollectorService } from "../../../gen/lumetry/v1/collector_service_pb.js";
import {
  CreateSourceResponseSchema,
  DeleteSourceResponseSchema,
  GetSourceResponseSchema,
  ListSourcesResponseSchema,
  PauseSourceResponseSchema,
  ResumeSourceResponseSchema,
  Source_StatusSchema,
  SourceService,
  type Source_Status as Status,
  UpdateSourceResponseSchema,
} from "../../../gen/lumetry/v1/source_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { type Cli, example } from "../cli.ts";
import { usageError } from "../errors.ts";
import { readLabel } from "../labels.ts";
import { allPages } from "../pages.ts";
import { resolveCollector, resolveSource, resolveZone } from "../resolve.ts";
import {
  requireSettings,
  type SettingsOptions,
  secretsOf,
  settingsOf,
  withSettings,
} from "../source-settings.ts";
import { sourceFacts, sourceTable } from "../source-text.ts";
import { plain } from "../terminal.ts";
import { readEnums, readSpan } from "../words.ts";
import { addSourceTest } from "./source-test.ts";

interface CreateOptions extends SettingsOptions {
  zone: string;
  every?: number;
  timeout?: number;
  label?: Record<string, string>;
  paused?: boolean;
}

interface ListOptions {
  zone?: string;
  collector?: string;
  search?: string;
  status?: Status[];
}

interface EditOptions extends SettingsOptions {
  name?: string;
  zone?: string;
  every?: number;
  timeout?: number;
  label?: Record<string, string>;
  withoutLabels?: boolean;
  withoutSecrets?: boolean;
}

const span = (ms: number | undefined) => (ms === undefined ? undefined : durationFromMs(ms));

export function addSources(program: Command, cli: Cli): void {
  const sources = program
    .command("sources")
    .description("What collectors read at an interval, inside their zone.");
  const client = () => cli.signedIn().client(SourceService);

  example(
    withSettings(
      sources
        .command("create")
        .description("Add a source; a collector of its zone that may poll begins to.")
        .argument("<name>", "unique in the workspace")
        .requiredOption("--zone <zone>", "name or id"),
    )
      .option("--every <span>", "from one poll to the next, 5s to 1d; 1m when not given", readSpan)
      .option("--timeout <span>", "a poll that takes longer has failed; at most 1m", readSpan)
      .option("-l, --label <label=value>", "set on its series; repeat for more", readLabel)
      .option("--paused", "do not poll it yet")
      .action(async (displayName: string, options: CreateOptions) => {
        const connection = cli.signedIn();
        const settings = requireSettings(options);
        const secrets = secretsOf(options);
        const [interval, timeout] = [span(options.every), span(options.timeout)];
        const response = await connection.client(SourceService).createSource({
          displayName,
          zoneId: await resolveZone(connection.client(ZoneService), options.zone),
          settings,
          labels: options.label ?? {},
          paused: options.paused === true,
          ...(secrets && { secrets }),
          ...(interval && { interval }),
          ...(timeout && { timeout }),
        });
        cli.answer(
          CreateSourceResponseSchema,
          response,
          () =>
            `The source "${plain(displayName)}" was created: ${response.source?.sourceId}\nTry it now with: lumetry sources test ${response.source?.sourceId}`,
        );
      }),
    "lumetry sources create node-7 --zone Lyon --prometheus http://node-7.internal:9100/metrics --every 30s",
    "lumetry sources create shop --zone Lyon --http https://shop.internal/health",
    "lumetry sources create orders --zone Lyon --settings orders.json --password-file pw",
  );

  example(
    sources
      .command("list")
      .description("List sources with their status.")
      .option("--zone <zone>", "only this zone's")
      .option("--collector <collector>", "only those that this collector polls")
      .option("--search <text>", "only those whose name, target or id holds it")
      .option(
        "--status <status...>",
        "only those that fare so, such as down or late",
        readEnums<Status>(Source_StatusSchema),
      )
      .action(async (options: ListOptions) => {
        const connection = cli.signedIn();
        const { zone, collector, search = "", status = [] } = options;
        const filter = {
          search,
          statuses: status,
          ...(zone && { zoneId: await resolveZone(connection.client(ZoneService), zone) }),
          ...(collector && {
            collectorId: await resolveCollector(connection.client(CollectorService), collector),
          }),
        };
        const asked = connection.client(SourceService);
        const found = await allPages(
          (page) => asked.listSources({ ...page, ...filter }),
          (page) => page.sources,
        );
        const totalSize = BigInt(found.length);
        const response = create(ListSourcesResponseSchema, { sources: found, totalSize });
        cli.answer(ListSourcesResponseSchema, response, () => sourceTable(cli, found));
      }),
    "lumetry sources list",
    "lumetry sources list --zone Lyon --status down late",
  );

  example(
    sources
      .command("show")
      .description("Show one source, and how its polls go.")
      .argument("<source>", "name or id")
      .action(async (meant: string) => {
        const asked = client();
        const response = await asked.getSource({ sourceId: await resolveSource(asked, meant) });
        cli.answer(GetSourceResponseSchema, response, () =>
          response.source ? sourceFacts(cli, response.source) : "",
        );
      }),
    "lumetry sources show node-7",
  );

  example(
    withSettings(
      sources
        .command("edit")
        .description("Change a source; what is not named stays.")
        .argument("<source>", "name or id"),
    )
      .option("--name <name>", "its new name")
      .option("--zone <zone>", "move it to another zone")
      .option("--every <span>", "from one poll to the next", readSpan)
      .option("--timeout <span>", "a poll that takes longer has failed", readSpan)
      .option("-l, --label <label=value>", "in place of all labels; repeat for more", readLabel)
      .option("--without-labels", "remove all labels")
      .option("--without-secrets", "remove all secrets")
      .action(async (meant: string, options: EditOptions) => {
        const { name, zone, label, withoutLabels, withoutSecrets } = options;
        const settings = settingsOf(options);
        const secrets = withoutSecrets ? {} : secretsOf(options);
        const [interval, timeout] = [span(options.every), span(options.timeout)];
        const labels = withoutLabels ? {} : label;
        if (
          [name, zone, settings, secrets, interval, timeout, labels].every(
            (one) => one === undefined,
          )
        ) {
          throw usageError("Nothing is to be changed.", "Say what, such as --every 30s.");
        }
        const connection = cli.signedIn();
        const asked = connection.client(SourceService);
        const response = await asked.updateSource({
          sourceId: await resolveSource(asked, meant),
          ...(name !== undefined && { displayName: name }),
          ...(zone !== undefined && {
            zoneId: await resolveZone(connection.client(ZoneService), zone),
          }),
          ...(settings && { settings }),
          ...(secrets && { secrets }),
          ...(interval && { interval }),
          ...(timeout && { timeout }),
          ...(labels && { labels: { labels } }),
        });
        cli.answer(UpdateSourceResponseSchema, response, () =>
          response.source ? sourceFacts(cli, response.source) : "",
        );
      }),
    "lumetry sources edit node-7 --every 15s --timeout 5s",
  );

  example(
    sources
      .command("pause")
      .description("Stop polling a source until it is resumed.")
      .argument("<source>", "name or id")
      .action(async (meant: string) => {
        const asked = client();
        const response = await asked.pauseSource({ sourceId: await resolveSource(asked, meant) });
        cli.answer(
          PauseSourceResponseSchema,
          response,
          () => `"${plain(response.source?.displayName ?? meant)}" is not polled any more.`,
        );
      }),
    "lumetry sources pause node-7",
  );

  example(
    sources
      .command("resume")
      .description("Poll a source again.")
      .argument("<source>", "name or id")
      .action(async (meant: string) => {
        const asked = client();
        const response = await asked.resumeSource({ sourceId: await resolveSource(asked, meant) });
        const { interval, displayName = meant } = response.source ?? {};
        const within = interval ? ` within ${durationMs(interval) / 1000} s` : "";
        cli.answer(
          ResumeSourceResponseSchema,
          response,
          () => `"${plain(displayName)}" is polled again${within}.`,
        );
      }),
    "lumetry sources resume node-7",
  );

  addSourceTest(sources, cli);

  example(
    sources
      .command("delete")
      .description("Remove a source and its secrets; its points stay.")
      .argument("<source>", "name or id")
      .action(async (meant: string) => {
        const asked = client();
        const sourceId = await resolveSource(asked, meant);
        const response = await asked.deleteSource({ sourceId });
        cli.answer(
          DeleteSourceResponseSchema,
          response,
          () => `The source ${plain(meant)} was deleted.`,
        );
      }),
    "lumetry sources delete node-7",
  );
}
