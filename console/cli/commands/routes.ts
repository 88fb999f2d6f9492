import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { ChannelService } from "../../../gen/lumetry/v1/channel_service_pb.js";
import {
  CreateNotificationRouteResponseSchema,
  DeleteNotificationRouteResponseSchema,
  GetNotificationRouteResponseSchema,
  NotificationRouteSettings_Grouping as Grouping,
  ListNotificationRoutesResponseSchema,
  MatchNotificationRoutesResponseSchema,
  NotificationRouteService,
  type NotificationRouteSettings,
  NotificationRouteSettingsSchema,
  UpdateNotificationRouteResponseSchema,
} from "../../../gen/lumetry/v1/notification_route_service_pb.js";
import { type Severity, SeveritySchema } from "../../../gen/lumetry/v1/severity_pb.js";
import { type Cli, example } from "../cli.ts";
import { type ConditionOptions, conditionsOf, withConditions } from "../conditions.ts";
import { usageError } from "../errors.ts";
import { readLabel } from "../labels.ts";
import { allPages } from "../pages.ts";
import { resolveChannel, resolveRoute } from "../resolve.ts";
import { routeFacts, routeTable } from "../route-text.ts";
import { plain } from "../terminal.ts";
import { readCount, readEnum, readSpan, readSwitch } from "../words.ts";

interface Options extends ConditionOptions {
  name?: string;
  channel?: string[];
  nobody?: boolean;
  everyAlert?: boolean;
  groupBy?: Pick<NotificationRouteSettings, "grouping" | "groupLabels">;
  wait?: number;
  interval?: number;
  repeat?: number;
  continue?: boolean;
  position?: number;
}

const several = (text: string, before: string[] = []) => [...before, text];

/** Reads "incident", "alert", "nothing" or labels with commas between. */
function readGrouping(text: string): NonNullable<Options["groupBy"]> {
  if (text === "incident") return { grouping: Grouping.INCIDENT, groupLabels: [] };
  if (text === "alert") return { grouping: Grouping.ALERT, groupLabels: [] };
  const groupLabels = text === "nothing" ? [] : text.split(",").map((label) => label.trim());
  return { grouping: Grouping.LABELS, groupLabels };
}

const withSettings = (command: Command): Command =>
  withConditions(command)
    .option("--channel <channel>", "where it is told; repeat for more", several)
    .option("--nobody", "tell nobody of the alerts that match")
    .option(
      "--group-by <what>",
      "incident, alert, nothing, or labels with commas between",
      readGrouping,
    )
    .option("--wait <span>", "how long the first message waits for more alerts", readSpan)
    .option("--interval <span>", "the least time between two messages of a group", readSpan)
    .option(
      "--repeat <span>",
      "when it is told again while nobody takes it; 0s for never",
      readSpan,
    )
    .option("--continue <switch>", "whether the next routes are asked, too: on or off", readSwitch)
    .option("--position <number>", "its place among the routes, from 1", readCount(1));

export function addRoutes(program: Command, cli: Cli): void {
  const routes = program
    .command("routes")
    .description("Which alerts are told on which channels; the first that matches decides.");
  const client = () => cli.signedIn().client(NotificationRouteService);
  const channels = () => cli.signedIn().client(ChannelService);
  const about = async (meant: string) => {
    const asked = client();
    return { asked, routeId: await resolveRoute(asked, meant) };
  };
  const names = async () => {
    if (cli.json) return new Map<string, string>();
    const found = await allPages(channels().listChannels, (page) => page.channels);
    return new Map(found.map(({ channelId, displayName }) => [channelId, displayName]));
  };

  /** What the flags say, over what was so before. */
  const settingsOf = async (
    options: Options,
    before: NotificationRouteSettings,
  ): Promise<NotificationRouteSettings> => {
    const { name, channel, nobody, everyAlert, groupBy, wait, interval, repeat } = options;
    if (channel && nobody) throw usageError("Use --channel or --nobody, not both.");
    const channelIds: string[] = [];
    for (const meant of channel ?? []) channelIds.push(await resolveChannel(channels(), meant));
    const conditions = await conditionsOf(cli, options);
    if (conditions && everyAlert) throw usageError("Use conditions or --every-alert, not both.");
    const settings = {
      ...before,
      ...(name !== undefined && { displayName: name }),
      ...((channel || nobody) && { channelIds }),
      ...(conditions && { conditions }),
      ...groupBy,
      ...(wait !== undefined && { groupWait: durationFromMs(wait) }),
      ...(interval !== undefined && { groupInterval: durationFromMs(interval) }),
      ...(repeat !== undefined && { repeatInterval: durationFromMs(repeat) }),
      ...(options.continue !== undefined && { continue: options.continue }),
    };
    if (everyAlert) delete settings.conditions;
    return settings;
  };

  example(
    withSettings(
      routes
        .command("create")
        .description("Add a route, as the last one unless told otherwise.")
        .argument("<name>", "unique in the workspace"),
    ).action(async (name: string, options: Options) => {
      if (!options.channel && !options.nobody) {
        throw usageError("Say where it is told.", "Use --channel, or --nobody.");
      }
      const response = await client().createNotificationRoute({
        settings: await settingsOf(
          options,
          create(NotificationRouteSettingsSchema, { displayName: name }),
        ),
        position: options.position ?? 0,
      });
      const named = await names();
      cli.answer(CreateNotificationRouteResponseSchema, response, () =>
        response.route ? routeFacts(cli, response.route, named) : "",
      );
    }),
    "lumetry routes create pager --severity critical --channel pager --continue on",
    "lumetry routes create team --match 'team=shop' --channel shop-chat --group-by cluster",
  );

  example(
    routes
      .command("list")
      .description("List routes, in the order in which they are asked.")
      .action(async () => {
        const response = await client().listNotificationRoutes({});
        const named = await names();
        cli.answer(ListNotificationRoutesResponseSchema, response, () =>
          routeTable(cli, response.routes, named),
        );
      }),
    "lumetry routes list",
  );

  example(
    routes
      .command("show")
      .description("Show one route.")
      .argument("<route>", "name or id")
      .action(async (meant: string) => {
        const { asked, routeId } = await about(meant);
        const response = await asked.getNotificationRoute({ routeId });
        const named = await names();
        cli.answer(GetNotificationRouteResponseSchema, response, () =>
          response.route ? routeFacts(cli, response.route, named) : "",
        );
      }),
    "lumetry routes show pager",
  );

  example(
    withSettings(
      routes
        .command("edit")
        .description("Change a route; what is not named stays.")
        .argument("<route>", "name or id")
        .option("--name <name>", "its new name")
        .option("--every-alert", "without conditions"),
    ).action(async (meant: string, options: Options) => {
      const { position, ...changed } = options;
      const isSettings = Object.keys(changed).length > 0;
      if (!isSettings && position === undefined) {
        throw usageError("Nothing is to be changed.", "Say what, such as --channel.");
      }
      const { asked, routeId } = await about(meant);
      const { route } = await asked.getNotificationRoute({ routeId });
      const before = route?.settings ?? create(NotificationRouteSettingsSchema);
      const response = await asked.updateNotificationRoute({
        routeId,
        ...(isSettings && { settings: await settingsOf(changed, before) }),
        position: position ?? 0,
      });
      const named = await names();
      cli.answer(UpdateNotificationRouteResponseSchema, response, () =>
        response.route ? routeFacts(cli, response.route, named) : "",
      );
    }),
    "lumetry routes edit pager --repeat 1h",
    "lumetry routes edit pager --position 1",
  );

  example(
    routes
      .command("match")
      .description("Tell which routes an alert with these labels would take.")
      .argument("[label=value...]", "labels of the alert")
      .option("--severity <severity>", "of the alert", readEnum<Severity>(SeveritySchema))
      .action(async (labels: string[], options: { severity?: Severity }) => {
        const response = await client().matchNotificationRoutes({
          labels: labels.reduce((so, one) => readLabel(one, so), {}),
          severity: options.severity ?? 0,
        });
        const named = await names();
        cli.answer(MatchNotificationRoutesResponseSchema, response, () =>
          response.routes.length === 0
            ? "No route matches: such an alert is told to nobody, unless there are no routes at all."
            : routeTable(cli, response.routes, named),
        );
      }),
    "lumetry routes match host=db-1 cluster=Lyon --severity critical",
  );

  example(
    routes
      .command("delete")
      .description("Remove a route; what it has begun to tell is told to its end.")
      .argument("<route>", "name or id")
      .action(async (meant: string) => {
        const { asked, routeId } = await about(meant);
        const response = await asked.deleteNotificationRoute({ routeId });
        cli.answer(
          DeleteNotificationRouteResponseSchema,
          response,
          () => `The route ${plain(meant)} was deleted.`,
        );
      }),
    "lumetry routes delete pager",
  );
}
