import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { type Capability, CapabilitySchema } from "../../../gen/lumetry/access/v1/access_pb.js";
import {
  CollectorService,
  CreateCollectorResponseSchema,
  ReplaceEnrollmentTokenResponseSchema,
} from "../../../gen/lumetry/v1/collector_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { type Cli, example } from "../cli.ts";
import { enrollmentText, requireFree } from "../enrollment.ts";
import { onlyZone, resolveCollector, resolveZone } from "../resolve.ts";
import { plain } from "../terminal.ts";
import { enumWords, readEnums, readSpan } from "../words.ts";

interface TokenOptions {
  tokenLifetime?: number;
  writeToken?: string;
}

/** The commands that end in a token: what follows a host from registration to enrollment. */
export function addEnrollment(collectors: Command, cli: Cli): void {
  const tokenOptions = (command: Command) =>
    command
      .option("--token-lifetime <span>", "from 1m to 7d; an hour when not given", readSpan)
      .option("--write-token <file>", "write the token to a file in place of showing it");
  const lifetime = ({ tokenLifetime }: TokenOptions) =>
    tokenLifetime === undefined ? {} : { tokenLifetime: durationFromMs(tokenLifetime) };

  example(
    tokenOptions(
      collectors
        .command("create")
        .description("Register a collector, and show how to install and start it on its host.")
        .argument("<name>", "what people will call it")
        .option("--zone <zone>", "name or id; may be left out when there is only one")
        .option(
          "--grant <capability...>",
          `what it may be asked to do: ${enumWords(CapabilitySchema).join(", ")}`,
          readEnums<Capability>(CapabilitySchema),
        ),
    ).action(
      async (
        displayName: string,
        options: TokenOptions & { zone?: string; grant?: Capability[] },
      ) => {
        requireFree(options.writeToken);
        const connection = cli.signedIn();
        const zones = connection.client(ZoneService);
        const zoneId =
          options.zone === undefined
            ? await onlyZone(zones)
            : await resolveZone(zones, options.zone);
        const response = await connection.client(CollectorService).createCollector({
          displayName,
          zoneId,
          grantedCapabilities: options.grant ?? [],
          ...lifetime(options),
        });
        const { collector } = response;
        const words = enrollmentText(cli, response, options.writeToken);
        cli.answer(CreateCollectorResponseSchema, response, () =>
          [
            `The collector "${plain(collector?.displayName ?? "")}" was created: ${collector?.collectorId}`,
            words,
          ].join("\n\n"),
        );
      },
    ),
    "lumetry collectors create edge-lyon-1 --zone Lyon",
    "lumetry collectors create edge-lyon-1 --token-lifetime 24h --write-token ./token",
  );

  example(
    tokenOptions(
      collectors
        .command("replace-token")
        .description("Make a new enrollment token for a collector that has not enrolled.")
        .argument("<collector>", "name or id"),
    ).action(async (meant: string, options: TokenOptions) => {
      requireFree(options.writeToken);
      const asked = cli.signedIn().client(CollectorService);
      const collectorId = await resolveCollector(asked, meant);
      const response = await asked.replaceEnrollmentToken({ collectorId, ...lifetime(options) });
      const words = enrollmentText(cli, response, options.writeToken);
      cli.answer(ReplaceEnrollmentTokenResponseSchema, response, () =>
        [`The earlier token of ${plain(meant)} is void.`, words].join("\n\n"),
      );
    }),
    "lumetry collectors replace-token edge-lyon-1",
  );
}
