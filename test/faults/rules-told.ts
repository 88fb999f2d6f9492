/** Who is told of alerts in a fault run: a channel with a receiver of its own, and what became of it. */
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type pg from "pg";
import {
  NotificationRouteSettings_Grouping as Grouping,
  NotificationRouteSettingsSchema,
} from "../../gen/lumetry/v1/notification_route_service_pb.js";
import { makeId } from "../../lib/ids.ts";
import { makeWebhookSecret } from "../../server/channels/signing.ts";
import { insertChannel } from "../../server/channels/store.ts";
import type { Database } from "../../server/db/database.ts";
import { insertRoute } from "../../server/notification-routes/store.ts";
import { openKeyring } from "../../server/sealing/keyring.ts";
import { channelPlace } from "../../server/sealing/store.ts";
import { makeVault } from "../../server/sealing/vault.ts";
import { eventually } from "../support/eventually.ts";
import type { Receiver } from "../support/receiver.ts";

/** A channel to the receiver, and a route that tells each alert by itself, at once. */
export async function addChannel(
  db: Database,
  workspaceId: string,
  { url, keyFile }: { url: string; keyFile: string },
): Promise<void> {
  const channelId = makeId("chn");
  const vault = makeVault(openKeyring(keyFile, { make: true }), keyFile);
  const place = channelPlace(workspaceId, channelId, "secret");
  const settings = create(NotificationRouteSettingsSchema, {
    displayName: "each alert",
    channelIds: [channelId],
    grouping: Grouping.ALERT,
    groupInterval: durationFromMs(0),
  });
  await db.transaction().execute(async (transaction) => {
    await insertChannel(transaction, {
      workspaceId,
      channelId,
      kind: "webhook",
      displayName: "on call",
      url,
      sealedUrl: null,
      target: new URL(url).host,
      zoneId: null,
      headers: null,
      headerNames: [],
      caPem: "",
      secret: await vault.seal(transaction, Buffer.from(makeWebhookSecret()), place),
      recipients: [],
    });
    await insertRoute(transaction, { workspaceId, routeId: makeId("rou"), position: 1 }, settings);
  });
}

/** Waits until every delivery is made. What the dead had claimed comes free at once: their leases are half a minute. */
export const allDelivered = (pool: pg.Pool, workspaceId: string) =>
  eventually(
    "everything was delivered",
    async () => {
      await pool.query(
        `update work_items set lease_until = wall_clock(), lease_limit = wall_clock()
         where workspace_id = $1 and state = 'claimed'
           and claimed_at < wall_clock() - interval '1 second'`,
        [workspaceId],
      );
      const { rows } = await pool.query<{ left: number }>(
        `select count(*)::int as left from work_items
         where workspace_id = $1 and kind = 'deliver' and state in ('due', 'claimed')`,
        [workspaceId],
      );
      return rows[0]?.left === 0;
    },
    120_000,
  );

/** What was told of alerts, by the names of rules and groups: in the books, and to the receiver. */
export interface Told {
  noted: string[];
  received: string[];
  /** Messages that came more than once, under one id. */
  repeats: number;
  /** What is wrong with it by itself. */
  problems: string[];
}

interface Body {
  type: string;
  data: {
    alerts: {
      alertName: string;
      labels: { host: string };
      status: string;
      firedAt: string;
      resolvedAt: string | null;
    }[];
  };
}

export async function toldOf(
  pool: pg.Pool,
  workspaceId: string,
  { received }: Receiver,
): Promise<Told> {
  // Ids are made by chance: each notification is named by what it tells of.
  const { rows } = await pool.query<{ delivery_id: string; line: string }>(
    `select delivery_id, concat_ws(' ', rules.display_name, alerts.group_key, event_type,
       notifications.transition, channels.display_name, extract(epoch from fired_at)) as line
     from notifications
       join notification_members using (workspace_id, group_id)
       join alerts using (workspace_id, alert_id)
       join rules using (workspace_id, rule_id)
       join channels using (workspace_id, channel_id)
     where workspace_id = $1 order by line`,
    [workspaceId],
  );
  const known = new Set(rows.map(({ delivery_id }) => delivery_id));
  const bodies = new Map<string, string>();
  const problems: string[] = [];
  for (const { headers, body } of received) {
    const id = String(headers["webhook-id"]);
    if (!known.has(id)) problems.push(`received, and no notification: ${id}`);
    const before = bodies.get(id);
    if (before !== undefined && before !== body) problems.push(`one id, two messages: ${id}`);
    bodies.set(id, body);
  }
  return {
    noted: rows.map(({ line }) => line),
    received: Array.from(bodies.values(), lineOf).sort(),
    repeats: received.length - bodies.size,
    problems,
  };
}

function lineOf(body: string): string {
  const { type, data } = JSON.parse(body) as Body;
  const alerts = data.alerts.map((alert) =>
    [alert.alertName, alert.labels.host, alert.status, alert.firedAt, alert.resolvedAt].join(" "),
  );
  return `${type}: ${alerts.join(", ")}`;
}
