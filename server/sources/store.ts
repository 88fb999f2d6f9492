import type { JsonValue } from "@bufbuild/protobuf";
import { type RawBuilder, type Selectable, type SqlBool, sql } from "kysely";
import { Source_Status as Status } from "../../gen/lumetry/v1/source_service_pb.js";
import { type Database, wallClock } from "../db/database.ts";
import { isFound } from "../db/search.ts";
import type { Page } from "../page.ts";
import type { SourceTables } from "./table.ts";

export type Source = Selectable<SourceTables["sources"]>;

/** Polls that were due for so many intervals without a report are late. */
const LATE_AFTER_INTERVALS = 3;

const isPolled = sql<boolean>`coalesce(workers.lease_until > wall_clock(), false)`;

/** How a source fares, as the number that the contract has for it. */
const status = sql<Status>`case
  when sources.paused then ${sql.lit(Status.PAUSED)}
  when work.assigned_to is null or not ${isPolled} then ${sql.lit(Status.UNASSIGNED)}
  when wall_clock() - work.due_at
    > ${sql.lit(LATE_AFTER_INTERVALS)} * sources.interval_ms * interval '1 millisecond'
    then ${sql.lit(Status.LATE)}
  when polls.reported_at is null then ${sql.lit(Status.WAITING)}
  when polls.up then ${sql.lit(Status.UP)}
  else ${sql.lit(Status.DOWN)} end`;

/** Everything that a Source message tells, with ages judged by the database's clock. */
const selectSources = (db: Database, workspaceId: string) =>
  joinSources(db, workspaceId)
    .selectAll("sources")
    .select([
      "work.assigned_to",
      "work.due_at",
      "work.skipped",
      "work.state as work_state",
      "polls.scheduled_at",
      "polls.reported_at",
      "polls.up",
      "polls.failure",
      "polls.duration_ms",
      "polls.phases",
      "polls.accepted",
      "polls.refused",
      "polls.refusal",
      "polls.failures_in_a_row",
      "polls.backing_off_until",
      "polls.completed",
      "polls.filled",
      "polls.stale",
      wallClock.as("read_at"),
      isPolled.as("is_polled"),
      status.as("status"),
    ]);

/** Sources with their work, their polls and who has them. */
function joinSources(db: Database, workspaceId: string) {
  return db
    .selectFrom("sources")
    .innerJoin("work_items as work", (join) =>
      join
        .onRef("work.workspace_id", "=", "sources.workspace_id")
        .onRef("work.subject_id", "=", "sources.source_id"),
    )
    .innerJoin("source_polls as polls", (join) =>
      join
        .onRef("polls.workspace_id", "=", "sources.workspace_id")
        .onRef("polls.source_id", "=", "sources.source_id"),
    )
    .leftJoin("workers", (join) =>
      join
        .onRef("workers.workspace_id", "=", "sources.workspace_id")
        .onRef("workers.collector_id", "=", "work.assigned_to"),
    )
    .where("sources.workspace_id", "=", workspaceId);
}

export type SourceRow = NonNullable<Awaited<ReturnType<typeof findSource>>>;

export function findSource(db: Database, workspaceId: string, sourceId: string) {
  return selectSources(db, workspaceId)
    .where("sources.source_id", "=", sourceId)
    .executeTakeFirst();
}

export interface Filter {
  zoneId: string;
  collectorId: string;
  /** Part of a name or of a target, or a whole id. */
  search: string;
  statuses: Status[];
}

function where(filter: Filter): RawBuilder<SqlBool> {
  const parts = [sql`true`];
  if (filter.zoneId) parts.push(sql`sources.zone_id = ${filter.zoneId}`);
  if (filter.collectorId) parts.push(sql`work.assigned_to = ${filter.collectorId}`);
  if (filter.search) {
    const texts = [sql`sources.display_name`, sql`sources.target`];
    parts.push(isFound(filter.search, { texts, id: sql`sources.source_id` }));
  }
  if (filter.statuses.length > 0) parts.push(sql`(${status}) = any(${filter.statuses})`);
  return sql<SqlBool>`${sql.join(parts, sql` and `)}`;
}

/** By name, without regard to case. */
export function listSources(db: Database, workspaceId: string, page: Page, filter: Filter) {
  let query = selectSources(db, workspaceId)
    .where(where(filter))
    .orderBy(sql`lower(sources.display_name)`)
    .limit(page.size + 1);
  if (page.after) {
    query = query.where(sql`lower(sources.display_name)`, ">", sql`lower(${page.after[0]})`);
  }
  return query.execute();
}

export async function countSources(
  db: Database,
  workspaceId: string,
  filter: Filter,
): Promise<bigint> {
  const { count } = await joinSources(db, workspaceId)
    .where(where(filter))
    .select(sql<bigint>`count(*)`.as("count"))
    .executeTakeFirstOrThrow();
  return count;
}

/** Those that are not polled in time: unassigned or late. */
export function listStarvingSources(db: Database, workspaceId: string) {
  return selectSources(db, workspaceId)
    .leftJoin("zones", (join) =>
      join
        .onRef("zones.workspace_id", "=", "sources.workspace_id")
        .onRef("zones.zone_id", "=", "sources.zone_id"),
    )
    .leftJoin("edges as holder", (join) =>
      join
        .onRef("holder.workspace_id", "=", "sources.workspace_id")
        .onRef("holder.edge_id", "=", "work.assigned_to"),
    )
    .select(["zones.display_name as zone_name", "holder.display_name as holder_name"])
    .where(sql<boolean>`(${status}) in (${sql.lit(Status.UNASSIGNED)}, ${sql.lit(Status.LATE)})`)
    .execute();
}

/** Locks a source's row; to be taken after the lock of its zone. */
export function lockSource(db: Database, workspaceId: string, sourceId: string) {
  return db
    .selectFrom("sources")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("source_id", "=", sourceId)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

export interface NewSource {
  workspaceId: string;
  sourceId: string;
  workId: string;
  zoneId: string;
  displayName: string;
  settings: JsonValue;
  target: string;
  intervalMs: number;
  timeoutMs: number;
  labels: Record<string, string>;
  paused: boolean;
  secrets: Buffer | null;
  secretsSummary: JsonValue | null;
}

/** Start times are spread: where in its interval a source is polled, follows from its id. */
const phaseOf = (sourceId: string, intervalMs: number) =>
  sql<bigint>`mod(abs(hashtextextended(${sourceId}, 0)), ${intervalMs}::bigint)`;

export async function insertSource(db: Database, source: NewSource): Promise<void> {
  await db
    .insertInto("sources")
    .values({
      workspace_id: source.workspaceId,
      source_id: source.sourceId,
      zone_id: source.zoneId,
      display_name: source.displayName,
      settings: source.settings,
      target: source.target,
      interval_ms: BigInt(source.intervalMs),
      phase_ms: phaseOf(source.sourceId, source.intervalMs),
      timeout_ms: BigInt(source.timeoutMs),
      labels: source.labels,
      paused: source.paused,
      secrets: source.secrets,
      secrets_summary: source.secretsSummary,
      secrets_set_at: source.secrets ? wallClock : null,
    })
    .execute();
  await db
    .insertInto("source_polls")
    .values({ workspace_id: source.workspaceId, source_id: source.sourceId })
    .execute();
  await sql`
    insert into work_items (workspace_id, work_id, kind, zone_id, subject_id, due_at, budget_ms,
      every, origin)
    select workspace_id, ${source.workId}, 'poll', zone_id, source_id,
      date_bin(every, wall_clock() + every, origin), timeout_ms, every, origin
    from sources, ${slots} where workspace_id = ${source.workspaceId} and source_id = ${source.sourceId}
  `.execute(db);
}

/** The grid of a source's slots. */
const slots = sql`lateral (select
  interval_ms * interval '1 millisecond' as every,
  timestamptz 'epoch' + phase_ms * interval '1 millisecond' as origin) as slots`;

export interface SourceChange {
  zone_id?: string;
  display_name?: string;
  settings?: JsonValue;
  target?: string;
  labels?: Record<string, string>;
  paused?: boolean;
  secrets?: Buffer | null;
  secrets_summary?: JsonValue | null;
}

/** Changes a source under its lock. A poll that is under way is void, unless only the name changed. */
export async function updateSource(
  db: Database,
  source: Source,
  change: SourceChange,
  times: { intervalMs: number; timeoutMs: number },
): Promise<void> {
  const { workspace_id, source_id } = source;
  await db
    .updateTable("sources")
    .set({
      ...change,
      interval_ms: BigInt(times.intervalMs),
      timeout_ms: BigInt(times.timeoutMs),
      ...(Number(source.interval_ms) !== times.intervalMs && {
        phase_ms: phaseOf(source_id, times.intervalMs),
      }),
      ...(change.secrets !== undefined && {
        secrets_set_at: change.secrets === null ? null : wallClock,
      }),
      updated_at: wallClock,
    })
    .where("workspace_id", "=", workspace_id)
    .where("source_id", "=", source_id)
    .execute();
  if (Object.keys(change).every((key) => key === "display_name")) {
    if (Number(source.interval_ms) === times.intervalMs) return;
  }
  await restartSlots(db, workspace_id, source_id);
}

/** From now on the item follows its source as it is: the next slot to come, nobody's claim. */
async function restartSlots(db: Database, workspaceId: string, sourceId: string): Promise<void> {
  await sql`
    update work_items as work set
      state = 'due', token_hash = null, lease_until = null, lease_limit = null,
      zone_id = sources.zone_id, budget_ms = sources.timeout_ms,
      every = slots.every, origin = slots.origin,
      due_at = date_bin(slots.every, wall_clock() + slots.every, slots.origin)
    from sources, ${slots}
    where sources.workspace_id = ${workspaceId} and sources.source_id = ${sourceId}
      and work.workspace_id = sources.workspace_id and work.subject_id = sources.source_id
  `.execute(db);
}

export async function deleteSource(
  db: Database,
  workspaceId: string,
  sourceId: string,
): Promise<void> {
  await db
    .deleteFrom("work_items")
    .where("workspace_id", "=", workspaceId)
    .where("subject_id", "=", sourceId)
    .execute();
  await db
    .deleteFrom("sources")
    .where("workspace_id", "=", workspaceId)
    .where("source_id", "=", sourceId)
    .execute();
}
