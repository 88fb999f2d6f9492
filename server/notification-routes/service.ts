import { create } from "@bufbuild/protobuf";
import { durationMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import {
  NotificationRouteSettings_Grouping as Grouping,
  type NotificationRouteService,
  type NotificationRouteSettings,
  NotificationRouteSettingsSchema,
} from "../../gen/lumetry/v1/notification_route_service_pb.js";
import { makeId } from "../../lib/ids.ts";
import { severityName } from "../alerts/severities.ts";
import { recordChange } from "../audit/store.ts";
import { originOf, personOf } from "../context.ts";
import { brokenConstraint, type Database } from "../db/database.ts";
import { compileConditions } from "../notifications/conditions.ts";
import { notFound } from "../problem.ts";
import { explained } from "../query/problems.ts";
import type { Parts } from "../routes.ts";
import { requireCluster } from "../topology/store.ts";
import * as store from "./store.ts";

const LEAST_REPEAT_MS = 60_000;

const toRoute = (row: store.RouteRow) => ({
  routeId: row.route_id,
  position: row.position,
  settings: store.settingsOf(row),
  createTime: timestampFromDate(row.created_at),
  updateTime: timestampFromDate(row.updated_at),
});

/** What cannot be said of a single member of the settings. */
function checkSettings(settings: NotificationRouteSettings): void {
  const { grouping, groupLabels, repeatInterval } = settings;
  const refuse = (words: string) => {
    throw new ConnectError(words, Code.InvalidArgument);
  };
  if (groupLabels.length > 0 && grouping !== Grouping.LABELS) {
    refuse("group_labels are for GROUPING_LABELS only");
  }
  const repeatMs = repeatInterval ? durationMs(repeatInterval) : LEAST_REPEAT_MS;
  if (repeatMs > 0 && repeatMs < LEAST_REPEAT_MS) {
    refuse("repeat_interval is zero, for never, or at least a minute");
  }
}

/** Refuses channels, clusters and rules that are not of the workspace. */
async function requireAll(
  transaction: Database,
  workspaceId: string,
  { channelIds, conditions }: NotificationRouteSettings,
): Promise<void> {
  for (const channelId of channelIds) {
    const found = await transaction
      .selectFrom("channels")
      .select("channel_id")
      .where("workspace_id", "=", workspaceId)
      .where("channel_id", "=", channelId)
      .executeTakeFirst();
    if (!found) throw notFound("channel", channelId);
  }
  for (const clusterId of conditions?.clusterIds ?? []) {
    await requireCluster(transaction, workspaceId, clusterId);
  }
}

function explain(error: unknown): unknown {
  return brokenConstraint(error) === "one_route_per_name"
    ? new ConnectError("there is a route of that name already", Code.AlreadyExists)
    : error;
}

/** The ids with one of them at a place, from 1; at the end when that is zero or beyond. */
function placed(ids: readonly string[], id: string, position: number): string[] {
  const others = ids.filter((one) => one !== id);
  const at = position === 0 ? others.length : Math.min(position - 1, others.length);
  return [...others.slice(0, at), id, ...others.slice(at)];
}

export function notificationRouteService({
  db,
}: Parts): ServiceImpl<typeof NotificationRouteService> {
  const show = async (workspaceId: string, routeId: string) => {
    const row = await store.findRoute(db, workspaceId, routeId);
    if (!row) throw notFound("notification route", routeId);
    return { route: toRoute(row) };
  };

  /** Changes the routes of a workspace under their lock, with a line in the audit log. */
  const change = async (
    context: HandlerContext,
    action: string,
    work: (transaction: Database, rows: store.RouteRow[]) => Promise<{ id: string; name: string }>,
  ) => {
    const person = personOf(context);
    try {
      await db.transaction().execute(async (transaction) => {
        await store.lockRoutes(transaction, person.workspaceId);
        const rows = await store.listRoutes(transaction, person.workspaceId);
        const target = await work(transaction, rows);
        await recordChange(transaction, person.workspaceId, person, originOf(context), {
          action: `notification_route.${action}`,
          target,
        });
      });
    } catch (error) {
      throw explain(error);
    }
  };

  const check = (settings: NotificationRouteSettings) =>
    explained(async () => {
      checkSettings(settings);
      compileConditions(settings.conditions);
    });

  return {
    async createNotificationRoute(request, context) {
      const { workspaceId } = personOf(context);
      const settings = request.settings ?? create(NotificationRouteSettingsSchema);
      await check(settings);
      const routeId = makeId("rou");
      await change(context, "created", async (transaction, rows) => {
        if (rows.length >= store.MOST_ROUTES) {
          throw new ConnectError(
            `there are ${store.MOST_ROUTES} routes already, as many as there can be`,
            Code.ResourceExhausted,
          );
        }
        await requireAll(transaction, workspaceId, settings);
        const position = rows.length + 1;
        await store.insertRoute(transaction, { workspaceId, routeId, position }, settings);
        const ids = rows.map(({ route_id }) => route_id);
        await store.placeRoutes(transaction, workspaceId, placed(ids, routeId, request.position));
        return { id: routeId, name: settings.displayName };
      });
      return show(workspaceId, routeId);
    },

    getNotificationRoute: ({ routeId }, context) => show(personOf(context).workspaceId, routeId),

    async listNotificationRoutes(_request, context) {
      const rows = await store.listRoutes(db, personOf(context).workspaceId);
      return { routes: rows.map(toRoute) };
    },

    async updateNotificationRoute({ routeId, settings, position }, context) {
      const { workspaceId } = personOf(context);
      if (settings) await check(settings);
      await change(context, "updated", async (transaction, rows) => {
        const row = rows.find(({ route_id }) => route_id === routeId);
        if (!row) throw notFound("notification route", routeId);
        if (settings) {
          await requireAll(transaction, workspaceId, settings);
          await store.updateRoute(transaction, workspaceId, routeId, settings);
        }
        if (position > 0) {
          const ids = rows.map(({ route_id }) => route_id);
          await store.placeRoutes(transaction, workspaceId, placed(ids, routeId, position));
        }
        return { id: routeId, name: settings?.displayName ?? row.display_name };
      });
      return show(workspaceId, routeId);
    },

    async deleteNotificationRoute({ routeId }, context) {
      const { workspaceId } = personOf(context);
      await change(context, "deleted", async (transaction, rows) => {
        const row = rows.find(({ route_id }) => route_id === routeId);
        if (!row) throw notFound("notification route", routeId);
        await store.deleteRoute(transaction, workspaceId, routeId);
        const others = rows.map(({ route_id }) => route_id).filter((id) => id !== routeId);
        await store.placeRoutes(transaction, workspaceId, others);
        return { id: routeId, name: row.display_name };
      });
      return {};
    },

    async matchNotificationRoutes({ labels, severity, ruleId }, context) {
      const { workspaceId } = personOf(context);
      const rows = await store.listRoutes(db, workspaceId);
      const name = severityName(severity) ?? "warning";
      const clusterId = await findClusterId(db, workspaceId, labels.cluster ?? "");
      const taken = await store.routesOf(rows.map(store.compileRoute), {
        labels: { ...labels, severity: name },
        severity: name,
        ruleId,
        clusterId,
      });
      const ids = new Set(taken.map(({ routeId }) => routeId));
      return { routes: rows.filter(({ route_id }) => ids.has(route_id)).map(toRoute) };
    },
  };
}

/** The one cluster of a name, as alerts carry it; "" when there is none or more than one. */
async function findClusterId(db: Database, workspaceId: string, name: string): Promise<string> {
  const found = await db
    .selectFrom("topology_nodes")
    .select("node_id")
    .where("workspace_id", "=", workspaceId)
    .where("kind", "=", "cluster")
    .where("display_name", "=", name)
    .limit(2)
    .execute();
  return found.length === 1 ? (found[0]?.node_id ?? "") : "";
}
