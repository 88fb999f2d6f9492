import { sql } from "kysely";
import { jsonbOf } from "../../lib/text.ts";
import type { Person } from "../context.ts";
import type { Database } from "../db/database.ts";
import type { EventKind } from "./table.ts";

/** A line of a timeline; without an actor, the server's own. */
export interface NewEvent {
  incidentId: string;
  kind: EventKind;
  message?: string;
  alertId?: string;
  channelId?: string;
  deliveryId?: string;
  silenceId?: string;
  actor?: Pick<Person, "userId" | "displayName">;
}

/** Adds lines to timelines, in this order; belongs into the transaction of what they tell. */
export async function addEvents(
  transaction: Database,
  workspaceId: string,
  events: readonly NewEvent[],
): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map((event) => ({
    incident_id: event.incidentId,
    kind: event.kind,
    message: event.message ?? "",
    alert_id: event.alertId,
    channel_id: event.channelId,
    delivery_id: event.deliveryId,
    silence_id: event.silenceId,
    actor_id: event.actor?.userId,
    actor_name: event.actor?.displayName ?? "",
  }));
  await sql`
    insert into incident_events (workspace_id, incident_id, kind, message, alert_id, channel_id,
      delivery_id, silence_id, actor_id, actor_name)
    select ${workspaceId}, incident_id, kind, message, alert_id, channel_id, delivery_id, silence_id,
      actor_id, actor_name
    from rows from (
      jsonb_to_recordset(${jsonbOf(rows)}::jsonb) as (incident_id text, kind text,
        message text, alert_id text, channel_id text, delivery_id text, silence_id text,
        actor_id text, actor_name text)
    ) with ordinality as added (incident_id, kind, message, alert_id, channel_id, delivery_id,
      silence_id, actor_id, actor_name, place)
    order by place
  `.execute(transaction);
}
