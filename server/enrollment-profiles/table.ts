import type { Filled, Time } from "../db/database.ts";

export interface ProfileTables {
  enrollment_profiles: {
    workspace_id: string;
    profile_id: string;
    display_name: string;
    token_hash: Buffer;
    zone_id: string;
    cluster_id: string | null;
    labels: Record<string, string>;
    max_uses: bigint;
    uses: Filled<bigint>;
    created_at: Filled<Date>;
    expires_at: Time;
    disabled_at: Time | null;
    latest_revision: Filled<bigint>;
  };
}
