import { fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Selectable, sql } from "kysely";
import {
  NotificationRouteSettings_Grouping as Grouping,
  type NotificationRouteSettings,
  NotificationRouteSettingsSchema,
} from "../../gen/lumetry/v1/notification_route_service_pb.js";
import { type Breath, makeBreath } from "../../lib/breath.ts";
import { type Database, wallClock } from "../db/database.ts";
import { type Condition, compileConditions } from "../notifications/conditions.ts";
import type { RouteTables } from "./table.ts";

/** More would only be confusing; each alert is tried on all of them. */
export const MOST_ROUTES = 200;
export const DEFAULT_INTERVAL_MS = 300_000;
export const DEFAULT_REPEAT_MS = 14_400_000;

export type RouteRow = Selectable<RouteTables["notification_routes"]> & { channel_ids: string[] };

function selectRoutes(db: Database, workspaceId: string) {
  return db
    .selectFrom("notification_routes as route")
    .selectAll("route")
    .select(
      sql<string[]>`array(select channel_id from notification_route_channels as way
        where way.workspace_id = route.workspace_id and way.route_id = route.route_id
        order by place)`.as("channel_ids"),
    )
    .where("workspace_id", "=", workspaceId)
    .orderBy("position");
}

export const listRoutes = (db: Database, workspaceId: string): Promise<RouteRow[]> =>
  selectRoutes(db, workspaceId).execute();

export const findRoute = (db: Database, workspaceId: string, routeId: string) =>
  selectRoutes(db, workspaceId).where("route_id", "=", routeId).executeTakeFirst();

export function settingsOf(row: RouteRow): NotificationRouteSettings {
  const settings = fromJson(NotificationRouteSettingsSchema, row.settings, {
    ignoreUnknownFields: true,
  });
  settings.displayName = row.display_name;
  settings.channelIds = row.channel_ids;
  return settings;
}

/** A route as alerts are tried on it. */
export interface Route {
  routeId: string;
  name: string;
  matches: Condition;
  channelIds: string[];
  grouping: "incident" | "labels" | "alert";
  groupLabels: string[];
  waitMs: number;
  intervalMs: number;
  repeatMs: number;
  continues: boolean;
}

const GROUPINGS: Record<Grouping, Route["grouping"]> = {
  [Grouping.UNSPECIFIED]: "incident",
  [Grouping.INCIDENT]: "incident",
  [Grouping.LABELS]: "labels",
  [Grouping.ALERT]: "alert",
};

export function compileRoute(row: RouteRow): Route {
  const settings = settingsOf(row);
  const { groupWait, groupInterval, repeatInterval } = settings;
  return {
    routeId: row.route_id,
    name: row.display_name,
    matches: compileConditions(settings.conditions),
    channelIds: row.channel_ids,
    grouping: GROUPINGS[settings.grouping],
    groupLabels: settings.groupLabels,
    waitMs: groupWait ? durationMs(groupWait) : 0,
    intervalMs: groupInterval ? durationMs(groupInterval) : DEFAULT_INTERVAL_MS,
    repeatMs: repeatInterval ? durationMs(repeatInterval) : DEFAULT_REPEAT_MS,
    continues: settings.continue,
  };
}

/** The routes of a workspace; one that leads everything to every channel when it has none. */
export async function loadRoutes(db: Database, workspaceId: string): Promise<Route[]> {
  const rows = await listRoutes(db, workspaceId);
  if (rows.length > 0) return rows.map(compileRoute);
  const channels = await db
    .selectFrom("channels")
    .select("channel_id")
    .where("workspace_id", "=", workspaceId)
    .orderBy(sql`lower(display_name)`)
    .execute();
  return [
    {
      routeId: "",
      name: "default",
      matches: () => true,
      channelIds: channels.map(({ channel_id }) => channel_id),
      grouping: "incident",
      groupLabels: [],
      waitMs: 0,
      intervalMs: DEFAULT_INTERVAL_MS,
      repeatMs: DEFAULT_REPEAT_MS,
      continues: false,
    },
  ];
}

/** The routes that an alert takes, in order. */
export async function routesOf(
  routes: readonly Route[],
  meant: Parameters<Condition>[0],
  breathe: Breath = makeBreath(),
): Promise<Route[]> {
  const taken: Route[] = [];
  for (const route of routes) {
    await breathe();
    if (!route.matches(meant)) continue;
    taken.push(route);
    if (!route.continues) break;
  }
  return taken;
}

/** Keeps others from changing a workspace's routes until the transaction ends. */
export async function lockRoutes(transaction: Database, workspaceId: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('routes ' || ${workspaceId}::text, 0))`.execute(
    transaction,
  );
}

const document = (settings: NotificationRouteSettings): JsonValue => ({
  ...(toJson(NotificationRouteSettingsSchema, settings) as Record<string, JsonValue>),
  channelIds: [],
});

export async function insertRoute(
  db: Database,
  route: { workspaceId: string; routeId: string; position: number },
  settings: NotificationRouteSettings,
): Promise<void> {
  await db
    .insertInto("notification_routes")
    .values({
      workspace_id: route.workspaceId,
      route_id: route.routeId,
      position: route.position,
      display_name: settings.displayName,
      settings: JSON.stringify(document(settings)),
    })
    .execute();
  await setChannels(db, route.workspaceId, route.routeId, settings.channelIds);
}

export async function updateRoute(
  db: Database,
  workspaceId: string,
  routeId: string,
  settings: NotificationRouteSettings,
): Promise<void> {
  await db
    .updateTable("notification_routes")
    .set({
      display_name: settings.displayName,
      settings: JSON.stringify(document(settings)),
      updated_at: wallClock,
    })
    .where("workspace_id", "=", workspaceId)
    .where("route_id", "=", routeId)
    .execute();
  await db
    .deleteFrom("notification_route_channels")
    .where("workspace_id", "=", workspaceId)
    .where("route_id", "=", routeId)
    .execute();
  await setChannels(db, workspaceId, routeId, settings.channelIds);
}

async function setChannels(
  db: Database,
  workspaceId: string,
  routeId: string,
  channelIds: readonly string[],
): Promise<void> {
  if (channelIds.length === 0) return;
  await db
    .insertInto("notification_route_channels")
    .values(
      channelIds.map((channel_id, place) => ({
        workspace_id: workspaceId,
        route_id: routeId,
        channel_id,
        place,
      })),
    )
    .execute();
}

/** Gives routes the places 1, 2, 3 … in this order. */
export async function placeRoutes(
  db: Database,
  workspaceId: string,
  routeIds: readonly string[],
): Promise<void> {
  await sql`
    update notification_routes as route set position = given.position
    from unnest(${routeIds}::text[]) with ordinality as given (route_id, position)
    where route.workspace_id = ${workspaceId} and route.route_id = given.route_id
      and route.position <> given.position
  `.execute(db);
}

export async function deleteRoute(db: Database, workspaceId: string, routeId: string) {
  await db
    .deleteFrom("notification_routes")
    .where("workspace_id", "=", workspaceId)
    .where("route_id", "=", routeId)
    .execute();
}
