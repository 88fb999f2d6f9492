import type { Filled } from "../db/database.ts";

export interface ZoneTables {
  zones: {
    workspace_id: string;
    zone_id: string;
    display_name: string;
    allowed_networks: string[];
    allow_cleartext_relay: Filled<boolean>;
    created_at: Filled<Date>;
  };
}
