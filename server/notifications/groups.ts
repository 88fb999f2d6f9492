import { sql } from "kysely";
import { makeId } from "../../lib/ids.ts";
import { jsonbOf } from "../../lib/text.ts";
import type { Severity } from "../alerts/table.ts";
import { type Database, fromNow, wallClock } from "../db/database.ts";
import { queriesOf } from "../db/transaction.ts";
import type { Route } from "../notification-routes/store.ts";
import { NOTIFY_TOPIC, notify } from "../work/signals.ts";
import type { Member } from "./loading.ts";

/** How often somebody looks for groups that are due, without being woken. */
export const LOOK_EVERY_MS = 10_000;

/** A group that alerts belong into by a route, whether or not there is one. */
export interface WantedGroup {
  route: Route;
  key: string;
  labels: Record<string, string>;
  alertIds: string[];
}

/**
 * Puts alerts into their groups, which begin where there are none; answers the groups. One that has
 * ended a moment ago keeps its interval: what comes and goes is not told each time.
 */
export async function joinGroups(
  transaction: Database,
  workspaceId: string,
  wanted: readonly WantedGroup[],
): Promise<string[]> {
  const rows = wanted.map(({ route, key, labels }, place) => ({
    place,
    group_id: makeId("ngr"),
    route_id: route.routeId,
    route_name: route.name,
    group_key: key,
    group_labels: labels,
    channel_ids: route.channelIds,
    interval_ms: route.intervalMs,
    repeat_ms: route.repeatMs,
    wait_ms: route.waitMs,
  }));
  const given = sql`jsonb_to_recordset(${jsonbOf(rows)}::jsonb) as given (place int,
    group_id text, route_id text, route_name text, group_key text, group_labels jsonb,
    channel_ids text[], interval_ms bigint, repeat_ms bigint, wait_ms bigint)`;
  await sql`
    insert into notification_groups (workspace_id, group_id, route_id, route_name, group_key,
      group_labels, channel_ids, interval_ms, repeat_ms, not_before, told_severity)
    select ${workspaceId}, group_id, route_id, route_name, group_key, group_labels, channel_ids,
      interval_ms, repeat_ms, greatest(wall_clock() + wait_ms * interval '1 ms', quiet_until),
      earlier.told_severity
    from ${given} left join lateral (
      select told_severity, told_at + given.interval_ms * interval '1 ms' as quiet_until
      from notification_groups as before
      where before.workspace_id = ${workspaceId} and before.route_id = given.route_id
        and before.group_key = given.group_key and before.closed_at is not null
        and told_at is not null
      order by told_at desc limit 1
    ) as earlier on quiet_until > wall_clock()
    on conflict (workspace_id, route_id, group_key) where closed_at is null do nothing
  `.execute(transaction);
  const { rows: found } = await sql<{ place: number; group_id: string }>`
    select place, found.group_id from ${given} join notification_groups as found
      on found.workspace_id = ${workspaceId} and found.route_id = given.route_id
        and found.group_key = given.group_key and found.closed_at is null
  `.execute(transaction);
  const members = found.flatMap(({ place, group_id }) =>
    (wanted[place]?.alertIds ?? []).map((alertId) => ({ groupId: group_id, alertId })),
  );
  await sql`
    insert into notification_members (workspace_id, group_id, alert_id)
    select ${workspaceId}, * from unnest(${members.map(({ groupId }) => groupId)}::text[],
      ${members.map(({ alertId }) => alertId)}::text[])
    on conflict (workspace_id, group_id, alert_id) do update set fires = true
  `.execute(transaction);
  return [...new Set(found.map(({ group_id }) => group_id))];
}

/** Notes what receivers take the severity of alerts for, which have become worse since. */
export async function noteWorse(
  transaction: Database,
  workspaceId: string,
  groupIds: readonly string[],
  alerts: readonly { alertId: string; than: Severity }[],
): Promise<void> {
  await sql`
    update notification_members as member
    set believed_severity = coalesce(believed_severity, given.than)
    from unnest(${alerts.map(({ alertId }) => alertId)}::text[],
      ${alerts.map(({ than }) => than)}::text[]) as given (alert_id, than)
    where member.workspace_id = ${workspaceId} and member.group_id = any(${groupIds}::text[])
      and member.alert_id = given.alert_id and member.told = 'firing'
  `.execute(transaction);
}

/** Notes that alerts have ended, in all groups that they are in; answers the groups. */
export async function endInGroups(
  transaction: Database,
  workspaceId: string,
  alertIds: readonly string[],
): Promise<string[]> {
  const rows = await transaction
    .updateTable("notification_members")
    .set({ fires: false })
    .where("workspace_id", "=", workspaceId)
    .where("alert_id", "=", sql<string>`any(${alertIds}::text[])`)
    .where("fires", "=", true)
    .returning("group_id")
    .execute();
  return [...new Set(rows.map(({ group_id }) => group_id))];
}

/** How a group stands after it was looked at. */
export interface Standing {
  groupId: string;
  transition: number;
  /** Something was told just now. */
  isTold: boolean;
  toldSeverity: Severity | null;
  dueAt: Date | null;
  isClosed: boolean;
}

export async function updateGroups(
  transaction: Database,
  workspaceId: string,
  standings: readonly Standing[],
): Promise<void> {
  const rows = standings.map((one) => ({
    group_id: one.groupId,
    transition: one.transition,
    is_told: one.isTold,
    told_severity: one.toldSeverity,
    due_at: one.dueAt,
    is_closed: one.isClosed,
  }));
  await sql`
    update notification_groups as standing set
      transition = given.transition, told_severity = given.told_severity, due_at = given.due_at,
      told_at = case when is_told then wall_clock() else told_at end,
      not_before = case when is_told then wall_clock() + interval_ms * interval '1 ms'
        else not_before end,
      closed_at = case when is_closed then wall_clock() end
    from jsonb_to_recordset(${jsonbOf(rows)}::jsonb) as given (group_id text, transition int,
      is_told boolean, told_severity text, due_at timestamptz, is_closed boolean)
    where standing.workspace_id = ${workspaceId} and standing.group_id = given.group_id
  `.execute(transaction);
  // What is due later is found by whoever looks anyway.
  await sql`
    select pg_notify('lumetry_work', ${NOTIFY_TOPIC}::text) from notification_groups
    where workspace_id = ${workspaceId}
      and group_id = any(${standings.map(({ groupId }) => groupId)}::text[])
      and due_at < wall_clock() + ${LOOK_EVERY_MS}::float8 * interval '1 ms' limit 1
  `.execute(transaction);
}

/** What receivers believe of members from now on, and which silence keeps them back. */
export interface MemberChange {
  groupId: string;
  alertId: string;
  told: Member["told"];
  believedSeverity: Severity | null;
  silenceId: string | null;
}

export async function updateMembers(
  transaction: Database,
  workspaceId: string,
  changes: readonly MemberChange[],
): Promise<void> {
  if (changes.length === 0) return;
  await sql`
    update notification_members as member set told = given.told,
      believed_severity = given.believed_severity, silence_id = given.silence_id
    from unnest(${changes.map(({ groupId }) => groupId)}::text[],
      ${changes.map(({ alertId }) => alertId)}::text[], ${changes.map(({ told }) => told)}::text[],
      ${changes.map(({ believedSeverity }) => believedSeverity)}::text[],
      ${changes.map(({ silenceId }) => silenceId)}::text[])
      as given (group_id, alert_id, told, believed_severity, silence_id)
    where member.workspace_id = ${workspaceId} and member.group_id = given.group_id
      and member.alert_id = given.alert_id
  `.execute(transaction);
}

export interface NewNotification {
  groupId: string;
  transition: number;
  channelId: string;
  deliveryId: string;
  eventType: string;
}

/** Writes what is told; answers the ids of the deliveries to be made: of what is there already there is none. */
export async function insertNotifications(
  transaction: Database,
  workspaceId: string,
  notifications: readonly NewNotification[],
): Promise<Set<string>> {
  if (notifications.length === 0) return new Set();
  const { rows } = await sql<{ delivery_id: string }>`
    insert into notifications
      (workspace_id, group_id, transition, channel_id, delivery_id, event_type)
    select ${workspaceId}, * from unnest(
      ${notifications.map(({ groupId }) => groupId)}::text[],
      ${notifications.map(({ transition }) => transition)}::int[],
      ${notifications.map(({ channelId }) => channelId)}::text[],
      ${notifications.map(({ deliveryId }) => deliveryId)}::text[],
      ${notifications.map(({ eventType }) => eventType)}::text[])
    on conflict on constraint one_notification_per_transition do nothing
    returning delivery_id
  `.execute(transaction);
  return new Set(rows.map(({ delivery_id }) => delivery_id));
}

/** After a silence has changed: whether there is something to tell now that was kept back. */
export async function lookAgain(transaction: Database, workspaceId: string): Promise<void> {
  await transaction
    .updateTable("notification_groups as standing")
    .set({ due_at: wallClock })
    .where("workspace_id", "=", workspaceId)
    .where("closed_at", "is", null)
    .where((where) =>
      where.exists(
        where
          .selectFrom("notification_members as member")
          .select("member.alert_id")
          .whereRef("member.workspace_id", "=", "standing.workspace_id")
          .whereRef("member.group_id", "=", "standing.group_id")
          .where("member.silence_id", "is not", null),
      ),
    )
    .execute();
  await notify(queriesOf(transaction), [NOTIFY_TOPIC]);
}

/** Workspaces with groups to be looked at now. */
export async function findDueWorkspaces(db: Database): Promise<string[]> {
  const rows = await db
    .selectFrom("notification_groups")
    .select("workspace_id")
    .distinct()
    .where("closed_at", "is", null)
    .where("due_at", "<=", wallClock)
    .execute();
  return rows.map(({ workspace_id }) => workspace_id);
}

export async function findDueGroups(
  transaction: Database,
  workspaceId: string,
  most: number,
): Promise<string[]> {
  const rows = await transaction
    .selectFrom("notification_groups")
    .select("group_id")
    .where("workspace_id", "=", workspaceId)
    .where("closed_at", "is", null)
    .where("due_at", "<=", wallClock)
    .orderBy("due_at")
    .limit(most)
    .execute();
  return rows.map(({ group_id }) => group_id);
}

/** Has a group that is due looked at again in so long. */
export async function putOffGroup(
  db: Database,
  workspaceId: string,
  groupId: string,
  ms: number,
): Promise<void> {
  await db
    .updateTable("notification_groups")
    .set({ due_at: fromNow(ms) })
    .where("workspace_id", "=", workspaceId)
    .where("group_id", "=", groupId)
    .where("due_at", "<=", wallClock)
    .execute();
}

/** When the next group is to be looked at, in ms from now; undefined if none is. */
export async function nextDueInMs(db: Database): Promise<number | undefined> {
  const { rows } = await sql<{ in_ms: number | null }>`
    select (extract(epoch from min(due_at) - wall_clock()) * 1000)::float8 as in_ms
    from notification_groups where closed_at is null
  `.execute(db);
  return rows[0]?.in_ms ?? undefined;
}
