import type { Filled, Time } from "../db/database.ts";

export interface ReaderTables {
  readers: {
    workspace_id: string;
    reader: string;
    /** A pg_snapshot in its text form: what it sees was read. */
    seen: Filled<string>;
    read_through: Filled<Date>;
    fence: Filled<bigint>;
    leased_until: Filled<Date>;
    turn_at: Filled<Date>;
    due_at: Time | null;
    /** Whoever read last and may go on before others do. */
    holder: string | null;
  };
}
