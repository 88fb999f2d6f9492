import type { Filled, Time } from "../db/database.ts";

export type RoleName = "viewer" | "operator" | "admin" | "owner";

export interface AccessTables {
  deployment: {
    one_row: Filled<boolean>;
    deployment_id: string;
    setup_hash: Buffer | null;
    setup_completed_at: Time | null;
    public_url: Filled<string>;
    public_url_was_set: Filled<boolean>;
  };
  workspaces: {
    workspace_id: string;
    display_name: string;
    series_limit: bigint;
    series_count: Filled<bigint>;
    created_at: Filled<Date>;
  };
  users: {
    workspace_id: string;
    user_id: string;
    email: string;
    display_name: string;
    role: RoleName;
    password_hash: string | null;
    disabled: Filled<boolean>;
    invitation_hash: Buffer | null;
    invitation_expires_at: Time | null;
    created_at: Filled<Date>;
    last_sign_in_at: Time | null;
  };
  sessions: {
    secret_hash: Buffer;
    workspace_id: string;
    user_id: string;
    created_at: Filled<Date>;
    expires_at: Time;
  };
  access_tokens: {
    workspace_id: string;
    access_token_id: string;
    user_id: string;
    display_name: string;
    role: RoleName;
    secret_hash: Buffer;
    created_at: Filled<Date>;
    expires_at: Time;
    revoked_at: Time | null;
  };
  ingestion_keys: {
    workspace_id: string;
    ingestion_key_id: string;
    display_name: string;
    labels: Record<string, string>;
    secret_hash: Buffer;
    created_at: Filled<Date>;
    expires_at: Time | null;
    revoked_at: Time | null;
  };
}
