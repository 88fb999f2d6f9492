import { type Selectable, sql } from "kysely";
import { type Database, fromNow, wallClock } from "../db/database.ts";
import { isFound } from "../db/search.ts";
import type { Page } from "../page.ts";
import type { WorkState } from "../work/table.ts";
import { TRIED_FOR_MS } from "./retry.ts";
import type { ChannelKind, ChannelTables } from "./table.ts";

export type Channel = Selectable<ChannelTables["channels"]>;

function selectChannels(db: Database, workspaceId: string) {
  const count = (states: readonly WorkState[]) => sql<bigint>`(
    select count(*) from deliveries join work_items as item
      on item.workspace_id = deliveries.workspace_id and item.subject_id = deliveries.delivery_id
    where deliveries.workspace_id = channels.workspace_id
      and deliveries.channel_id = channels.channel_id and item.state in (${sql.join(states)}))`;
  return db
    .selectFrom("channels")
    .selectAll()
    .select([
      count(["due", "claimed"]).as("pending"),
      count(["failed", "expired"]).as("dead"),
      sql<boolean>`coalesce(previous_secret_until > wall_clock(), false)`.as("has_previous"),
    ])
    .where("workspace_id", "=", workspaceId);
}

export type ChannelRow = NonNullable<Awaited<ReturnType<typeof findChannel>>>;

export function findChannel(db: Database, workspaceId: string, channelId: string) {
  return selectChannels(db, workspaceId).where("channel_id", "=", channelId).executeTakeFirst();
}

/** By name, without regard to case. */
export function listChannels(db: Database, workspaceId: string, page: Page, search: string) {
  let query = selectChannels(db, workspaceId)
    .orderBy(sql`lower(display_name)`)
    .limit(page.size + 1);
  if (search) {
    query = query.where(isFound(search, { texts: [sql`display_name`], id: sql`channel_id` }));
  }
  if (page.after) query = query.where(sql`lower(display_name)`, ">", sql`lower(${page.after[0]})`);
  return query.execute();
}

export function lockChannel(db: Database, workspaceId: string, channelId: string) {
  return db
    .selectFrom("channels")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("channel_id", "=", channelId)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

export async function insertChannel(
  db: Database,
  channel: {
    workspaceId: string;
    channelId: string;
    kind: ChannelKind;
    displayName: string;
    url: string;
    sealedUrl: Buffer | null;
    target: string;
    zoneId: string | null;
    headers: Buffer | null;
    headerNames: string[];
    caPem: string;
    secret: Buffer | null;
    recipients: string[];
  },
): Promise<void> {
  await db
    .insertInto("channels")
    .values({
      workspace_id: channel.workspaceId,
      channel_id: channel.channelId,
      kind: channel.kind,
      display_name: channel.displayName,
      url: channel.url,
      sealed_url: channel.sealedUrl,
      target: channel.target,
      zone_id: channel.zoneId,
      headers: channel.headers,
      header_names: channel.headerNames,
      ca_pem: channel.caPem,
      secret: channel.secret,
      previous_secret: null,
      previous_secret_until: null,
      recipients: channel.recipients,
    })
    .execute();
}

export interface ChannelChange {
  display_name?: string;
  url?: string;
  sealed_url?: Buffer | null;
  target?: string;
  zone_id?: string | null;
  headers?: Buffer | null;
  header_names?: string[];
  ca_pem?: string;
  recipients?: string[];
}

export async function updateChannel(
  db: Database,
  channel: Channel,
  change: ChannelChange,
): Promise<void> {
  const { workspace_id, channel_id } = channel;
  await db
    .updateTable("channels")
    .set({ ...change, updated_at: wallClock })
    .where("workspace_id", "=", workspace_id)
    .where("channel_id", "=", channel_id)
    .execute();
  if (change.zone_id === undefined || change.zone_id === channel.zone_id) return;
  // What waits takes the new way; what somebody is sending right now is left to them.
  await sql`
    update work_items as item set zone_id = ${change.zone_id}
    from deliveries
    where deliveries.workspace_id = ${workspace_id} and deliveries.channel_id = ${channel_id}
      and item.workspace_id = deliveries.workspace_id and item.subject_id = deliveries.delivery_id
      and item.state in ('due', 'claimed')
  `.execute(db);
}

/** The secret before signs along for a while. */
export async function rotateSecret(
  db: Database,
  channel: Channel,
  secret: Buffer,
  overlapMs: number,
): Promise<void> {
  await db
    .updateTable("channels")
    .set({
      secret,
      secret_created_at: wallClock,
      previous_secret: overlapMs > 0 ? channel.secret : null,
      previous_secret_until: overlapMs > 0 ? fromNow(overlapMs) : null,
      updated_at: wallClock,
    })
    .where("workspace_id", "=", channel.workspace_id)
    .where("channel_id", "=", channel.channel_id)
    .execute();
}

export async function deleteChannel(db: Database, channel: Channel): Promise<void> {
  const { workspace_id, channel_id } = channel;
  await sql`
    delete from work_items as item using deliveries
    where deliveries.workspace_id = ${workspace_id} and deliveries.channel_id = ${channel_id}
      and item.workspace_id = deliveries.workspace_id and item.subject_id = deliveries.delivery_id
  `.execute(db);
  await db
    .deleteFrom("channels")
    .where("workspace_id", "=", workspace_id)
    .where("channel_id", "=", channel_id)
    .execute();
}

function selectDeliveries(db: Database, workspaceId: string) {
  return db
    .selectFrom("deliveries")
    .innerJoin("work_items as item", (join) =>
      join
        .onRef("item.workspace_id", "=", "deliveries.workspace_id")
        .onRef("item.subject_id", "=", "deliveries.delivery_id"),
    )
    .select([
      "deliveries.delivery_id",
      "deliveries.channel_id",
      "deliveries.event_type",
      "deliveries.created_at",
      "item.work_id",
      "item.state",
      "item.attempts",
      "item.due_at",
      "item.expires_at",
      "item.ended_at",
    ])
    .where("deliveries.workspace_id", "=", workspaceId);
}

export type DeliveryRow = NonNullable<Awaited<ReturnType<typeof findDelivery>>>;

export function findDelivery(db: Database, workspaceId: string, deliveryId: string) {
  return selectDeliveries(db, workspaceId)
    .where("deliveries.delivery_id", "=", deliveryId)
    .executeTakeFirst();
}

/** Newest first; a page starts after the delivery whose id is its key. */
export function listDeliveries(
  db: Database,
  workspaceId: string,
  page: Page,
  filter: { channelId: string; states: readonly WorkState[] },
) {
  let query = selectDeliveries(db, workspaceId)
    .orderBy("deliveries.created_at", "desc")
    .orderBy("deliveries.delivery_id", "desc")
    .limit(page.size + 1);
  if (filter.channelId) query = query.where("deliveries.channel_id", "=", filter.channelId);
  if (filter.states.length > 0) query = query.where("item.state", "in", filter.states);
  const [id = ""] = page.after ?? [];
  if (page.after) {
    query = query.where((where) =>
      where(
        where.refTuple("deliveries.created_at", "deliveries.delivery_id"),
        "<",
        // The row's own time, since a page token would cut its microseconds off.
        where
          .selectFrom("deliveries as last")
          .select(["last.created_at", "last.delivery_id"])
          .where("last.workspace_id", "=", workspaceId)
          .where("last.delivery_id", "=", id)
          .$asTuple("created_at", "delivery_id"),
      ),
    );
  }
  return query.execute();
}

/** The attempts of a delivery, newest first. */
export function listAttempts(db: Database, workspaceId: string, deliveryId: string) {
  return db
    .selectFrom("delivery_attempts")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("delivery_id", "=", deliveryId)
    .orderBy("attempt", "desc")
    .limit(50)
    .execute();
}

/** Makes a dead letter due again, under the same id, for another day. False when it is not dead. */
export async function resend(db: Database, workspaceId: string, deliveryId: string) {
  const { rows } = await sql`
    update work_items set state = 'due', due_at = wall_clock(), ended_at = null,
      expires_at = wall_clock() + ${TRIED_FOR_MS}::float8 * interval '1 ms', attempts = 0, lapses = 0
    where workspace_id = ${workspaceId} and subject_id = ${deliveryId} and kind = 'deliver'
      and state in ('failed', 'expired')
    returning pg_notify('lumetry_work',
      case when zone_id is null then 'server' else 'zone ' || workspace_id || ' ' || zone_id end)
  `.execute(db);
  return rows.length > 0;
}
