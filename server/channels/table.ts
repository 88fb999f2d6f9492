import type { Filled, Time } from "../db/database.ts";

export type ChannelKind = "webhook" | "slack" | "alertmanager" | "email";

export interface ChannelTables {
  channels: {
    workspace_id: string;
    channel_id: string;
    kind: ChannelKind;
    display_name: string;
    /** As it is shown: without the path if that is a secret; empty for e-mail. */
    url: string;
    /** Sealed, where the path is a secret. */
    sealed_url: Buffer | null;
    target: string;
    zone_id: string | null;
    /** Sealed, as are the secrets. */
    headers: Buffer | null;
    header_names: Filled<string[]>;
    ca_pem: Filled<string>;
    secret: Buffer | null;
    secret_created_at: Filled<Date>;
    previous_secret: Buffer | null;
    previous_secret_until: Time | null;
    recipients: Filled<string[]>;
    created_at: Filled<Date>;
    updated_at: Filled<Date>;
  };
  deliveries: {
    workspace_id: string;
    delivery_id: string;
    channel_id: string;
    event_type: string;
    body: Buffer;
    created_at: Filled<Date>;
  };
  delivery_attempts: {
    workspace_id: string;
    delivery_id: string;
    attempt: Filled<bigint>;
    attempted_at: Filled<Date>;
    collector_id: string | null;
    http_status: number;
    failure: string;
    duration_ms: number | null;
  };
}
