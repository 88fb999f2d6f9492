import { sql } from "kysely";
import { type Database, wallClock } from "../db/database.ts";
import type { Page } from "../page.ts";
import type { WorkKind, WorkState } from "./table.ts";

/** What is claimed comes first, then what is due, then what is to come, then what has ended. */
const rank = sql<number>`case item.state when 'claimed' then 0
  when 'due' then case when item.due_at <= wall_clock() then 1 else 2 end else 3 end`;
const dueText = sql<string>`to_char(item.due_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`;

export type WorkRow = Awaited<ReturnType<typeof listWork>>[number];

/** Sources that are paused have nothing to be done. */
export function listWork(
  db: Database,
  workspaceId: string,
  page: Page,
  filter: { zoneId: string; kinds: readonly WorkKind[]; states: readonly WorkState[] },
) {
  const states: readonly WorkState[] =
    filter.states.length > 0 ? filter.states : ["due", "claimed"];
  let query = db
    .selectFrom("work_items as item")
    .leftJoin("sources", (join) =>
      join
        .onRef("sources.workspace_id", "=", "item.workspace_id")
        .onRef("sources.source_id", "=", "item.subject_id"),
    )
    .leftJoin("deliveries", (join) =>
      join
        .onRef("deliveries.workspace_id", "=", "item.workspace_id")
        .onRef("deliveries.delivery_id", "=", "item.subject_id"),
    )
    .leftJoin("channels", (join) =>
      join
        .onRef("channels.workspace_id", "=", "deliveries.workspace_id")
        .onRef("channels.channel_id", "=", "deliveries.channel_id"),
    )
    .selectAll("item")
    .select([
      rank.as("rank"),
      dueText.as("due_text"),
      wallClock.as("read_at"),
      sql<string | null>`coalesce(sources.display_name, channels.display_name)`.as("subject_name"),
    ])
    .where("item.workspace_id", "=", workspaceId)
    .where(sql<boolean>`not coalesce(sources.paused, false)`)
    .where("item.state", "in", states)
    .orderBy(rank)
    .orderBy("item.due_at")
    .orderBy("item.work_id")
    .limit(page.size + 1);
  if (filter.zoneId) query = query.where("item.zone_id", "=", filter.zoneId);
  if (filter.kinds.length > 0) query = query.where("item.kind", "in", filter.kinds);
  if (page.after) {
    const [afterRank, afterDue, afterId] = page.after;
    query = query.where(
      sql<boolean>`(${rank}, ${dueText}, item.work_id) > (${afterRank}::int, ${afterDue}, ${afterId})`,
    );
  }
  return query.execute();
}

const MOST_WORKERS = 1_000;

export function listWorkers(db: Database, workspaceId: string, zoneId: string) {
  let query = db
    .selectFrom("workers")
    .innerJoin("edges", (join) =>
      join
        .onRef("edges.workspace_id", "=", "workers.workspace_id")
        .onRef("edges.edge_id", "=", "workers.collector_id"),
    )
    .selectAll("workers")
    .select([
      "edges.display_name",
      wallClock.as("read_at"),
      sql<boolean>`workers.lease_until > wall_clock()`.as("is_live"),
      sql<bigint>`(select count(*) from source_assignments as held
        where held.workspace_id = workers.workspace_id and held.collector_id = workers.collector_id
          and held.ended_at is null)`.as("assigned"),
      sql<bigint>`(select count(*) from work_items as item
        where item.workspace_id = workers.workspace_id and item.claimed_by = workers.collector_id
          and item.state = 'claimed')`.as("claimed"),
    ])
    .where("workers.workspace_id", "=", workspaceId)
    .orderBy("workers.zone_id")
    .orderBy("edges.display_name")
    .limit(MOST_WORKERS);
  if (zoneId) query = query.where("workers.zone_id", "=", zoneId);
  return query.execute();
}
