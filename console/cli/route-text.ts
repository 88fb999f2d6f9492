import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import {
  NotificationRouteSettings_Grouping as Grouping,
  type NotificationRoute,
  type NotificationRouteSettings,
} from "../../gen/lumetry/v1/notification_route_service_pb.js";
import { spanText } from "../../lib/age.ts";
import type { Cli } from "./cli.ts";
import { conditionsText } from "./silence-text.ts";
import { facts, table } from "./table.ts";
import { plain } from "./terminal.ts";
import { momentText } from "./words.ts";

const spanOf = (span: Duration | undefined, otherwise: string) =>
  span ? spanText(durationMs(span)) : otherwise;

function groupingText({ grouping, groupLabels }: NotificationRouteSettings): string {
  if (grouping === Grouping.ALERT) return "each alert";
  if (grouping !== Grouping.LABELS) return "incident";
  return groupLabels.length === 0 ? "all together" : groupLabels.join(", ");
}

function repeatText({ repeatInterval }: NotificationRouteSettings): string {
  if (!repeatInterval) return "every 4 hours";
  const ms = durationMs(repeatInterval);
  return ms === 0 ? "never" : `every ${spanText(ms)}`;
}

const whatText = (settings: NotificationRouteSettings | undefined) =>
  conditionsText(settings?.conditions) || "every alert";

/** Ids of channels with their names. */
export type ChannelNames = ReadonlyMap<string, string>;

function channelsText(names: ChannelNames, settings: NotificationRouteSettings | undefined) {
  const { channelIds = [] } = settings ?? {};
  return channelIds.length === 0
    ? "nobody"
    : channelIds.map((id) => names.get(id) ?? id).join(", ");
}

export function routeTable(cli: Cli, routes: NotificationRoute[], names: ChannelNames): string {
  if (routes.length === 0) {
    return 'There are no routes: everything is told on every channel, grouped by incident. Add one with "lumetry routes create".';
  }
  return table(
    routes,
    [
      { title: "#", value: ({ position }) => String(position), align: "right" },
      { title: "NAME", value: ({ settings }) => settings?.displayName ?? "", least: 12 },
      { title: "ALERTS", value: ({ settings }) => whatText(settings), least: 16 },
      { title: "TOLD ON", value: ({ settings }) => channelsText(names, settings), least: 12 },
      {
        title: "GROUPED BY",
        value: ({ settings }) => (settings ? groupingText(settings) : ""),
        rank: 1,
      },
      {
        title: "THEN",
        value: ({ settings }) => (settings?.continue ? "the next" : "stop"),
        rank: 2,
      },
      { title: "ID", value: ({ routeId }) => routeId, rank: 3 },
    ],
    cli.terminal,
  );
}

export function routeFacts(cli: Cli, route: NotificationRoute, names: ChannelNames): string {
  const { settings } = route;
  if (!settings) return "";
  return facts(
    [
      ["name", plain(settings.displayName)],
      ["id", route.routeId],
      ["place", String(route.position)],
      ["alerts", plain(whatText(settings))],
      ["told on", plain(channelsText(names, settings))],
      ["grouped by", plain(groupingText(settings))],
      ["waits for more alerts", spanOf(settings.groupWait, "not at all")],
      ["between two messages", spanOf(settings.groupInterval, "5 minutes")],
      ["told again", repeatText(settings)],
      ["then", settings.continue ? "the next route is asked, too" : "no other route is asked"],
      ["created", momentText(route.createTime, cli.now())],
    ],
    cli.terminal,
  );
}
