import type { Filled } from "../db/database.ts";

export interface SealingTables {
  encryption_keys: {
    key_id: string;
    created_at: Filled<Date>;
  };
}
