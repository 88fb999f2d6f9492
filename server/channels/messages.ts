import type { Queries } from "../db/transaction.ts";
import { channelPlace } from "../sealing/store.ts";
import type { Vault } from "../sealing/vault.ts";
import type { Mail } from "./mail.ts";
import { signatureHeaders } from "./signing.ts";
import type { ChannelKind } from "./table.ts";

/** One attempt to deliver, ready to be sent. */
export type Message = WebhookMessage | MailMessage;

export interface MailMessage {
  kind: "mail";
  deliveryId: string;
  recipients: string[];
  mail: Mail;
}

export interface WebhookMessage {
  kind: "webhook";
  deliveryId: string;
  url: string;
  caPem: string;
  /** Signatures included. */
  headers: Record<string, string>;
  /** Those of the channel, which are secret. */
  secretHeaders: Record<string, string>;
  body: Buffer;
}

interface Row {
  workspace_id: string;
  delivery_id: string;
  channel_id: string;
  kind: ChannelKind;
  recipients: string[];
  url: string;
  sealed_url: Buffer | null;
  target: string;
  ca_pem: string;
  headers: Buffer | null;
  body: Buffer;
  secret: Buffer | null;
  previous_secret: Buffer | null;
  now: Date;
}

/** What is to be sent for some deliveries, signed as of now; without those that cannot be opened. */
export async function findMessages(
  queries: Queries,
  vault: Vault,
  wanted: readonly { workspaceId: string; deliveryId: string }[],
  onUnreadable: (error: unknown, deliveryId: string) => void,
): Promise<Map<string, Message>> {
  const { rows } = await queries.query<Row>({
    name: "find-messages",
    text: `
      select delivery.workspace_id, delivery_id, channel_id, channel.kind, recipients, url, sealed_url,
        target, ca_pem, headers, body, secret, case when previous_secret_until > wall_clock() then previous_secret end
          as previous_secret,
        wall_clock() as now
      from unnest($1::text[], $2::text[]) as wanted (workspace_id, delivery_id)
        join deliveries as delivery using (workspace_id, delivery_id)
        join channels as channel using (workspace_id, channel_id)`,
    values: [
      wanted.map(({ workspaceId }) => workspaceId),
      wanted.map(({ deliveryId }) => deliveryId),
    ],
  });
  const messages = new Map<string, Message>();
  for (const row of rows) {
    try {
      messages.set(row.delivery_id, toMessage(vault, row));
    } catch (error) {
      onUnreadable(error, row.delivery_id);
    }
  }
  return messages;
}

function toMessage(vault: Vault, row: Row): Message {
  const { workspace_id, channel_id, body } = row;
  if (row.kind === "email") {
    const mail = JSON.parse(body.toString()) as Mail;
    return { kind: "mail", deliveryId: row.delivery_id, recipients: row.recipients, mail };
  }
  const secretPlace = channelPlace(workspace_id, channel_id, "secret");
  const secrets = [row.secret, row.previous_secret]
    .filter((sealed) => sealed !== null)
    .map((sealed) => vault.open(sealed, secretPlace).toString());
  const secretHeaders: Record<string, string> = row.headers
    ? JSON.parse(
        vault.open(row.headers, channelPlace(workspace_id, channel_id, row.target)).toString(),
      )
    : {};
  return {
    kind: "webhook",
    deliveryId: row.delivery_id,
    url: row.sealed_url
      ? vault.open(row.sealed_url, channelPlace(workspace_id, channel_id, "url")).toString()
      : row.url,
    caPem: row.ca_pem,
    headers: {
      "content-type": "application/json",
      "user-agent": "Lumetry-Webhooks",
      ...signatureHeaders({ id: row.delivery_id, time: row.now, body }, secrets),
    },
    secretHeaders,
    body,
  };
}
