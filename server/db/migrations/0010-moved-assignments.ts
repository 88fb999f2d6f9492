import { type Kysely, sql } from "kysely";

/** Why an assignment ended, for what its collector offers of the time after that. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table source_assignments
      -- it ended since another collector was given the source
      add column moved boolean not null default false;
  `.execute(db);
}
