import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import {
  SourceService,
  type TestSourceResponse,
  TestSourceResponseSchema,
} from "../../../gen/lumetry/v1/source_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { type Cli, example } from "../cli.ts";
import { CliError, usageError } from "../errors.ts";
import { resolveSource, resolveZone } from "../resolve.ts";
import {
  requireSettings,
  type SettingsOptions,
  secretsOf,
  withSettings,
} from "../source-settings.ts";
import { msText, readingText } from "../source-text.ts";
import { plain } from "../terminal.ts";
import { counted, readSpan } from "../words.ts";

interface TestOptions extends SettingsOptions {
  zone?: string;
  timeout?: number;
}

/** What happened, in words; undefined for the end. */
function progressText({ event }: TestSourceResponse): string | undefined {
  switch (event.case) {
    case "queued":
      return `waiting for one of ${counted(event.value.collectors, "collector")}`;
    case "started":
      return `begun by ${plain(event.value.displayName)} (${event.value.collectorId})`;
    case "progress":
      return plain(event.value.message || event.value.phase);
    default:
      return undefined;
  }
}

export function addSourceTest(sources: Command, cli: Cli): void {
  example(
    withSettings(
      sources
        .command("test")
        .description("Have a collector read a source once, now, and watch; nothing is stored.")
        .argument("[source]", "name or id; or none, with what to test and --zone"),
    )
      .option("--zone <zone>", "of what is not stored yet")
      .option("--timeout <span>", "how long it may take", readSpan)
      .action(async (meant: string | undefined, options: TestOptions) => {
        const connection = cli.signedIn();
        const asked = connection.client(SourceService);
        const request = async () => {
          if (meant !== undefined) {
            if (options.zone !== undefined) {
              throw usageError("A stored source has its own zone: leave --zone out.");
            }
            return { case: "sourceId", value: await resolveSource(asked, meant) } as const;
          }
          if (options.zone === undefined) {
            throw usageError(
              "It is not said what to test.",
              "Name a source, or say what and where, such as --http https://shop.internal/ --zone Lyon.",
            );
          }
          const secrets = secretsOf(options);
          const value = {
            settings: requireSettings(options),
            zoneId: await resolveZone(connection.client(ZoneService), options.zone),
            ...(secrets && { secrets }),
            ...(options.timeout !== undefined && { timeout: durationFromMs(options.timeout) }),
          };
          return { case: "draft", value } as const;
        };
        let last: TestSourceResponse | undefined;
        for await (const response of asked.testSource({ target: await request() })) {
          last = response;
          const text = progressText(response);
          const elapsed = response.elapsed ? durationMs(response.elapsed) : 0;
          if (text && !cli.json) cli.note(`${msText(elapsed).padStart(7)}  ${text}`);
        }
        if (last?.event.case !== "result") throw new CliError("The test ended without a result.");
        const { value: reading } = last.event;
        cli.answer(TestSourceResponseSchema, last, () => readingText(reading, cli.terminal));
        if (!reading.up) throw new CliError("The source is down.");
      }),
    "lumetry sources test node-7",
    "lumetry sources test --zone Lyon --tcp db.internal:5432",
  );
}
