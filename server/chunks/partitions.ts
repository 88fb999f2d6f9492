import { sql } from "kysely";
import type { Database } from "../db/database.ts";
import {
  alone,
  attachPartition,
  dropPartition,
  hasTable,
  listPartitions,
} from "../db/partitions.ts";
import { WINDOW_MS } from "./windows.ts";

/** The tables of days that are over. */
export type SettledTable = "chunks" | "rollups_5m" | "rollups_1h";

/** How many ms before now the youngest point may be of what is dropped. */
export type Retention = Record<SettledTable, number>;

/** The partition for a window: a day of chunks, a month of the smaller roll-ups. */
function partitionOf(table: SettledTable, windowStart: number) {
  const date = new Date(windowStart);
  const day = date.toISOString().slice(0, 10).replaceAll("-", "");
  if (table === "chunks") {
    return { name: `chunks_${day}`, from: windowStart, to: windowStart + WINDOW_MS };
  }
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return {
    name: `${table}_${day.slice(0, 6)}`,
    from: Date.UTC(year, month),
    to: Date.UTC(year, month + 1),
  };
}

/** Makes the partition for a window, if it is not there. */
export async function makePartition(
  db: Database,
  table: SettledTable,
  windowStart: number,
): Promise<void> {
  const partition = partitionOf(table, windowStart);
  if (await hasTable(db, partition.name)) return;
  await alone(db, (transaction) => attachPartition(transaction, { of: table, ...partition }));
}

/** Drops what is older than it is kept, a partition at a time; of fresh chunks the rows. */
export async function dropExpired(db: Database, retention: Retention): Promise<void> {
  const { rows } = await sql<{ now: Date }>`select wall_clock() as now`.execute(db);
  const nowMs = rows[0]?.now.getTime() ?? 0;
  for (const table of Object.keys(retention) as SettledTable[]) {
    const endBy = nowMs - retention[table];
    for (const name of await listPartitions(db, table)) {
      const [, year = "", month = "", day = ""] = /_(\d{4})(\d{2})(\d{2})?$/.exec(name) ?? [];
      const start = Date.UTC(Number(year), Number(month) - 1, Number(day || "1"));
      if (year !== "" && partitionOf(table, start).to <= endBy) await dropPartition(db, name);
    }
  }
  await sql`
    delete from fresh_chunks where window_start <= ${nowMs - retention.chunks - WINDOW_MS}
  `.execute(db);
}
