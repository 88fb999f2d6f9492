import { setTimeout as wait } from "node:timers/promises";
import { sql } from "kysely";
import type pg from "pg";
import type { Reader } from "../../server/readers/reader.ts";

/** Long enough that whoever is killed is killed in between. */
const LATE_MS = 1_000;

interface Kept {
  delivery: object;
  item: object;
}

/**
 * A fault on purpose, as if deliveries were written after the transaction of the transition that they tell of: whoever
 * is killed in between has told nobody, and nobody will.
 */
export function makeLateOutbox(pool: pg.Pool) {
  let uncommitted: Kept[] = [];

  const write = async (kept: readonly Kept[]) => {
    await wait(LATE_MS);
    for (const { delivery, item } of kept) {
      const [one, other] = [JSON.stringify(delivery), JSON.stringify(item)];
      await pool.query(
        "insert into deliveries select * from jsonb_populate_record(null::deliveries, $1::jsonb)",
        [one],
      );
      await pool.query(
        "insert into work_items select * from jsonb_populate_record(null::work_items, $1::jsonb)",
        [other],
      );
    }
  };

  return {
    /** A reader whose deliveries are taken out of its transactions. */
    behind: (reader: Reader): Reader => ({
      ...reader,
      async read(segments, turn) {
        const effects = await reader.read(segments, turn);
        return async (transaction) => {
          await effects(transaction);
          const { rows } = await sql<Kept>`
            with mine as (
              delete from work_items where workspace_id = ${turn.workspaceId} and kind = 'deliver'
                and xmin::text = (pg_current_xact_id()::text::bigint % 4294967296)::text
              returning *
            ), theirs as (
              delete from deliveries using mine
              where deliveries.workspace_id = mine.workspace_id and delivery_id = subject_id
              returning deliveries.*
            )
            select to_jsonb(theirs) as delivery, to_jsonb(mine) as item
            from mine join theirs on delivery_id = subject_id
          `.execute(transaction);
          uncommitted = rows;
        };
      },
    }),
    /** To be called after each commit; says whether something is still to be written. */
    readEnded(): boolean {
      const kept = uncommitted;
      uncommitted = [];
      if (kept.length > 0) void write(kept);
      return kept.length > 0;
    },
  };
}
