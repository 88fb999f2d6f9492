import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { CollectorService } from "../../../gen/lumetry/v1/collector_service_pb.js";
import {
  CreateEnrollmentProfileResponseSchema,
  DisableEnrollmentProfileResponseSchema,
  EnrollmentProfileService,
  GetEnrollmentProfileResponseSchema,
  ListEnrollmentProfilesResponseSchema,
  RenderInstallCommandsResponseSchema,
} from "../../../gen/lumetry/v1/enrollment_profile_service_pb.js";
import { TopologyService } from "../../../gen/lumetry/v1/topology_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { type Cli, example } from "../cli.ts";
import { readLabel } from "../labels.ts";
import { allPages } from "../pages.ts";
import { commandsText, profileFacts, profileTable, usesText } from "../profile-text.ts";
import {
  onlyZone,
  resolveCluster,
  resolveCollector,
  resolveProfile,
  resolveZone,
} from "../resolve.ts";
import { plain } from "../terminal.ts";
import { deadlineText, readCount, readSpan } from "../words.ts";

interface InstallFlags {
  collector?: string[];
  cluster?: string;
}

interface CreateFlags extends InstallFlags {
  zone?: string;
  defaultCluster?: string;
  label?: Record<string, string>;
  maxUses?: number;
  lifetime?: number;
}

export function addProfiles(program: Command, cli: Cli): void {
  const profiles = program
    .command("profiles")
    .description("Enrollment profiles: the tokens by which hosts enroll themselves.");
  const client = () => cli.signedIn().client(EnrollmentProfileService);
  const named = (command: Command) => command.argument("<profile>", "name or id");
  const installFlags = (command: Command) =>
    command
      .option("--collector <collector...>", "go through these collectors first, in this order")
      .option("--cluster <cluster>", "ask for this cluster in the commands");

  /** The ids of what the commands are to name. */
  const install = async ({ collector = [], cluster }: InstallFlags) => {
    const connection = cli.signedIn();
    const collectors = connection.client(CollectorService);
    return {
      collectorIds: await Promise.all(
        collector.map((meant) => resolveCollector(collectors, meant)),
      ),
      clusterId:
        cluster === undefined
          ? ""
          : await resolveCluster(connection.client(TopologyService), cluster),
    };
  };

  example(
    installFlags(
      profiles
        .command("create")
        .description("Make a token for hosts, and show the commands that install an agent with it.")
        .argument("<name>", "what it is for")
        .option("--zone <zone>", "of hosts that enroll directly; may be left out when there is one")
        .option("--default-cluster <cluster>", "where hosts are placed that ask for none")
        .option("-l, --label <label=value>", "set on all their series; repeat for more", readLabel)
        .option("--max-uses <count>", "how many hosts may enroll; 100 when not given", readCount(1))
        .option("--lifetime <span>", "from 1m to 366d; 24h when not given", readSpan),
    ).action(async (displayName: string, options: CreateFlags) => {
      const connection = cli.signedIn();
      const zones = connection.client(ZoneService);
      const { zone, defaultCluster, label = {}, maxUses = 0, lifetime } = options;
      const response = await client().createEnrollmentProfile({
        displayName,
        zoneId: zone === undefined ? await onlyZone(zones) : await resolveZone(zones, zone),
        clusterId:
          defaultCluster === undefined
            ? ""
            : await resolveCluster(connection.client(TopologyService), defaultCluster),
        labels: label,
        maxUses,
        ...(lifetime !== undefined && { lifetime: durationFromMs(lifetime) }),
        install: await install(options),
      });
      const { profile, commands } = response;
      cli.answer(CreateEnrollmentProfileResponseSchema, response, () =>
        [
          `The enrollment profile "${plain(displayName)}" was created: ${profile?.profileId}`,
          profile &&
            `Its token works for ${usesText(profile)}, until it ends ${deadlineText(profile.expireTime, cli.now())}. It is shown this once only.`,
          commandsText(commands, cli.terminal),
        ]
          .filter(Boolean)
          .join("\n\n"),
      );
    }),
    'lumetry profiles create "web servers" --max-uses 40 --lifetime 7d -l team=web',
    "lumetry profiles create lyon --collector edge-lyon-1 --cluster ANVMBWEBWX",
  );

  example(
    profiles
      .command("list")
      .description("List enrollment profiles, newest first, ended ones included.")
      .option("--search <text>", "only those whose name holds it, or whose id it is")
      .action(async ({ search = "" }: { search?: string }) => {
        const asked = client();
        const found = await allPages(
          (page) => asked.listEnrollmentProfiles({ ...page, search }),
          (page) => page.profiles,
        );
        const response = create(ListEnrollmentProfilesResponseSchema, { profiles: found });
        cli.answer(ListEnrollmentProfilesResponseSchema, response, () =>
          profileTable(found, cli.terminal, cli.now()),
        );
      }),
    "lumetry profiles list",
    "lumetry profiles list --search web",
  );

  example(
    named(profiles.command("show").description("Show one enrollment profile.")).action(
      async (meant: string) => {
        const asked = client();
        const profileId = await resolveProfile(asked, meant);
        const response = await asked.getEnrollmentProfile({ profileId });
        cli.answer(GetEnrollmentProfileResponseSchema, response, () =>
          response.profile ? profileFacts(response.profile, cli.terminal, cli.now()) : "",
        );
      },
    ),
    'lumetry profiles show "web servers"',
  );

  example(
    installFlags(
      named(
        profiles
          .command("commands")
          .description("Show the install commands again, without the token."),
      ),
    ).action(async (meant: string, options: InstallFlags) => {
      const asked = client();
      const profileId = await resolveProfile(asked, meant);
      const response = await asked.renderInstallCommands({
        profileId,
        install: await install(options),
      });
      cli.answer(RenderInstallCommandsResponseSchema, response, () =>
        [
          commandsText(response.commands, cli.terminal),
          "The token was shown once, when the profile was created; put it in place of lmtae_...",
        ].join("\n\n"),
      );
    }),
    'lumetry profiles commands "web servers" --collector edge-lyon-1',
  );

  example(
    named(
      profiles
        .command("disable")
        .description("End a profile's token, at once and for good; enrolled hosts go on."),
    ).action(async (meant: string) => {
      const asked = client();
      const profileId = await resolveProfile(asked, meant);
      const response = await asked.disableEnrollmentProfile({ profileId });
      cli.answer(
        DisableEnrollmentProfileResponseSchema,
        response,
        () => `The token of ${plain(meant)} has ended; hosts that have enrolled by it go on.`,
      );
    }),
    'lumetry profiles disable "web servers"',
  );
}
