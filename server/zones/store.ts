import { type Insertable, type Selectable, sql } from "kysely";
import type { Database } from "../db/database.ts";
import { isFound } from "../db/search.ts";
import type { Page } from "../page.ts";
import type { ZoneTables } from "./table.ts";

export type ZoneChange = Partial<
  Pick<
    Selectable<ZoneTables["zones"]>,
    "display_name" | "allowed_networks" | "allow_cleartext_relay"
  >
>;

export function insertZone(db: Database, zone: Insertable<ZoneTables["zones"]>) {
  return db.insertInto("zones").values(zone).returningAll().executeTakeFirstOrThrow();
}

export function findZone(db: Database, workspaceId: string, zoneId: string) {
  return db
    .selectFrom("zones")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("zone_id", "=", zoneId)
    .executeTakeFirst();
}

/** By name, without regard to case. */
export function listZones(db: Database, workspaceId: string, page: Page, search: string) {
  let query = db
    .selectFrom("zones")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .orderBy(sql`lower(display_name)`)
    .limit(page.size + 1);
  if (search) {
    query = query.where(isFound(search, { texts: [sql`display_name`], id: sql`zone_id` }));
  }
  if (page.after) query = query.where(sql`lower(display_name)`, ">", sql`lower(${page.after[0]})`);
  return query.execute();
}

export function updateZone(db: Database, workspaceId: string, zoneId: string, change: ZoneChange) {
  return (
    db
      .updateTable("zones")
      // An empty change still finds the row.
      .set({ zone_id: zoneId, ...change })
      .where("workspace_id", "=", workspaceId)
      .where("zone_id", "=", zoneId)
      .returningAll()
      .executeTakeFirst()
  );
}

export function deleteZone(db: Database, workspaceId: string, zoneId: string) {
  return db
    .deleteFrom("zones")
    .where("workspace_id", "=", workspaceId)
    .where("zone_id", "=", zoneId)
    .returningAll()
    .executeTakeFirst();
}
