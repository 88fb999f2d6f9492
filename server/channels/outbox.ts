import { sql } from "kysely";
import { makeId } from "../../lib/ids.ts";
import { type Database, wallClock } from "../db/database.ts";
import type { Event } from "./events.ts";
import { bodyOf } from "./forms/form.ts";
import { ATTEMPT_MS, TRIED_FOR_MS } from "./retry.ts";

/** An event for one channel. */
export interface Dispatch {
  channelId: string;
  deliveryId: string;
  event: Event;
}

/**
 * Sends events to channels: from the commit of this transaction on each is tried for a day, until its
 * receiver has taken it. A delivery that is there already is not sent again; channels that are gone are
 * left out. Answers the ids of the deliveries that were made.
 */
export async function enqueueDeliveries(
  db: Database,
  workspaceId: string,
  dispatches: readonly Dispatch[],
): Promise<string[]> {
  if (dispatches.length === 0) return [];
  const channels = await db
    .selectFrom("channels")
    .select(["channel_id", "kind", "display_name", wallClock.as("now")])
    .where("workspace_id", "=", workspaceId)
    .where("channel_id", "in", [...new Set(dispatches.map(({ channelId }) => channelId))])
    .execute();
  const known = new Map(channels.map((channel) => [channel.channel_id, channel]));
  const publicUrl = await findPublicUrl(db);
  const made = dispatches.flatMap(({ channelId, deliveryId, event }) => {
    const channel = known.get(channelId);
    if (!channel) return [];
    const { kind, display_name, now } = channel;
    const body = bodyOf(kind, { event, now, channel: display_name, publicUrl });
    return { channelId, deliveryId, type: event.type, body, workId: makeId("wrk") };
  });
  const { rows } = await sql<{ delivery_id: string }>`
    with given as (
      select * from unnest(${made.map(({ channelId }) => channelId)}::text[],
        ${made.map(({ deliveryId }) => deliveryId)}::text[], ${made.map(({ type }) => type)}::text[],
        ${made.map(({ body }) => body)}::bytea[], ${made.map(({ workId }) => workId)}::text[])
        as given (channel_id, delivery_id, event_type, body, work_id)
    ), delivery as (
      insert into deliveries (workspace_id, delivery_id, channel_id, event_type, body)
      select ${workspaceId}, delivery_id, channel_id, event_type, body from given
      on conflict do nothing
      returning workspace_id, delivery_id, channel_id
    ), item as (
      insert into work_items (workspace_id, work_id, kind, zone_id, subject_id, due_at, expires_at,
        budget_ms)
      select delivery.workspace_id, work_id, 'deliver', channel.zone_id, delivery_id, wall_clock(),
        wall_clock() + ${TRIED_FOR_MS}::float8 * interval '1 ms', ${ATTEMPT_MS}::bigint
      from delivery join given using (delivery_id)
        join channels as channel on channel.workspace_id = delivery.workspace_id
          and channel.channel_id = delivery.channel_id
      returning workspace_id, zone_id, subject_id
    )
    select subject_id as delivery_id, pg_notify('lumetry_work',
      case when zone_id is null then 'server' else 'zone ' || workspace_id || ' ' || zone_id end)
    from item
  `.execute(db);
  return rows.map(({ delivery_id }) => delivery_id);
}

/** Where people reach the deployment, without a slash at the end; empty when it is not known. */
export async function findPublicUrl(db: Database): Promise<string> {
  const row = await db.selectFrom("deployment").select("public_url").executeTakeFirst();
  return row?.public_url ?? "";
}
