import { sql } from "kysely";
import { type Database, wallClock } from "../db/database.ts";
import type { GroupState } from "./condition.ts";
import { RULES } from "./names.ts";
import { type Block, packBlock, unpackBlock } from "./points.ts";

/** How far evaluation has come. */
export interface Progress {
  judgedMs: number;
  resumedMs: number;
  rulesRevision: bigint;
  token: string;
  /** Everything in the log that had come by then was read. */
  readMs: number;
}

/** Locks a workspace's evaluation until the transaction ends; undefined where there never was a rule. */
export async function lockProgress(
  transaction: Database,
  workspaceId: string,
): Promise<Progress | undefined> {
  const { rows } = await sql<{
    judged: number;
    resumed: number;
    rules_revision: bigint;
    state_token: string;
    read: number;
  }>`
    select floor(extract(epoch from judged_through) * 1000)::float8 as judged,
      floor(extract(epoch from resumed_at) * 1000)::float8 as resumed, rules_revision, state_token,
      (select floor(extract(epoch from read_through) * 1000)::float8 from readers
       where readers.workspace_id = rule_progress.workspace_id and reader = ${RULES}) as read
    from rule_progress where workspace_id = ${workspaceId}
    for no key update of rule_progress
  `.execute(transaction);
  const [row] = rows;
  return (
    row && {
      judgedMs: row.judged,
      resumedMs: row.resumed,
      rulesRevision: row.rules_revision,
      token: row.state_token,
      readMs: row.read,
    }
  );
}

export async function saveProgress(
  transaction: Database,
  workspaceId: string,
  { judgedMs, resumedMs, token }: Pick<Progress, "judgedMs" | "resumedMs" | "token">,
): Promise<void> {
  await sql`
    update rule_progress set judged_through = to_timestamp(${judgedMs}::float8 / 1000),
      resumed_at = to_timestamp(${resumedMs}::float8 / 1000), state_token = ${token}
    where workspace_id = ${workspaceId}
  `.execute(transaction);
}

/** The rules that are evaluated. */
export function listEnabledRules(db: Database, workspaceId: string) {
  return db
    .selectFrom("rules")
    .select(["rule_id", "document", "judged_since"])
    .where("workspace_id", "=", workspaceId)
    .where("enabled", "=", true)
    .orderBy("rule_id")
    .execute();
}

/** The blocks of each series' last points, by its id. */
export async function loadPoints(db: Database, workspaceId: string): Promise<Map<number, Block[]>> {
  const rows = await db
    .selectFrom("rule_points")
    .select(["series_id", "block_start_ms", "body"])
    .where("workspace_id", "=", workspaceId)
    .execute();
  const found = new Map<number, Block[]>();
  for (const row of rows) {
    const seriesId = Number(row.series_id);
    const block = unpackBlock(Number(row.block_start_ms), row.body);
    const blocks = found.get(seriesId);
    if (blocks) blocks.push(block);
    else found.set(seriesId, [block]);
  }
  return found;
}

export interface PointChanges {
  written: { seriesId: number; block: Block }[];
  gone: { seriesId: number; startMs: number }[];
}

export async function savePoints(
  transaction: Database,
  workspaceId: string,
  { written, gone }: PointChanges,
): Promise<void> {
  if (gone.length > 0) {
    await sql`
      delete from rule_points using unnest(
        ${gone.map(({ seriesId }) => seriesId)}::bigint[],
        ${gone.map(({ startMs }) => startMs)}::bigint[]
      ) as gone (series_id, block_start_ms)
      where workspace_id = ${workspaceId} and rule_points.series_id = gone.series_id
        and rule_points.block_start_ms = gone.block_start_ms
    `.execute(transaction);
  }
  if (written.length === 0) return;
  const bodies = written.map(({ block }) => packBlock(block));
  const lengths = bodies.map((body) => body.length);
  let next = 1;
  const from = lengths.map((length) => {
    next += length;
    return next - length;
  });
  // Bytes go as one parameter, in binary form, and are cut apart by the database.
  await sql`
    insert into rule_points (workspace_id, series_id, block_start_ms, body)
    select ${workspaceId}, series_id, block_start_ms,
      substr(${Buffer.concat(bodies)}::bytea, body_from, body_length)
    from unnest(
      ${written.map(({ seriesId }) => seriesId)}::bigint[],
      ${written.map(({ block }) => block.startMs)}::bigint[],
      ${from}::int[], ${lengths}::int[]
    ) as written (series_id, block_start_ms, body_from, body_length)
    on conflict (workspace_id, series_id, block_start_ms) do update set body = excluded.body
  `.execute(transaction);
}

/** Forgets the points of series that no rule wants any more. */
export async function forgetPoints(
  transaction: Database,
  workspaceId: string,
  seriesIds: readonly number[],
): Promise<void> {
  await sql`
    delete from rule_points
    where workspace_id = ${workspaceId} and series_id = any(${seriesIds}::bigint[])
  `.execute(transaction);
}

export function loadStates(db: Database, workspaceId: string) {
  return db
    .selectFrom("rule_states")
    .select(["rule_id", "group_key", "state"])
    .where("workspace_id", "=", workspaceId)
    .execute();
}

export interface StateChange {
  ruleId: string;
  groupKey: string;
  /** Undefined when there is nothing to remember. */
  state: GroupState | undefined;
}

export async function saveStates(
  transaction: Database,
  workspaceId: string,
  changes: readonly StateChange[],
): Promise<void> {
  const over = changes.filter(({ state }) => state === undefined);
  const kept = changes.filter(({ state }) => state !== undefined);
  if (over.length > 0) {
    await sql`
      delete from rule_states using unnest(
        ${over.map(({ ruleId }) => ruleId)}::text[], ${over.map(({ groupKey }) => groupKey)}::text[]
      ) as over (rule_id, group_key)
      where workspace_id = ${workspaceId} and rule_states.rule_id = over.rule_id
        and rule_states.group_key = over.group_key
    `.execute(transaction);
  }
  if (kept.length === 0) return;
  await sql`
    insert into rule_states (workspace_id, rule_id, group_key, state)
    select ${workspaceId}, rule_id, group_key, state from unnest(
      ${kept.map(({ ruleId }) => ruleId)}::text[], ${kept.map(({ groupKey }) => groupKey)}::text[],
      ${kept.map(({ state }) => JSON.stringify(state))}::jsonb[]
    ) as kept (rule_id, group_key, state)
    on conflict (workspace_id, rule_id, group_key) do update set state = excluded.state
  `.execute(transaction);
}

/** What the catalog calls series, by id. */
export async function findSeriesNames(db: Database, workspaceId: string, ids: readonly number[]) {
  const rows = await db
    .selectFrom("series")
    .select(["series_id", "metric", "labels"])
    .where("workspace_id", "=", workspaceId)
    .where("series_id", "=", sql<bigint>`any(${ids}::bigint[])`)
    // Where there is no room for all of them, the same ones have it each time.
    .orderBy("series_id")
    .execute();
  return rows.map((row) => ({
    seriesId: Number(row.series_id),
    metric: row.metric,
    labels: row.labels,
  }));
}

/** The labels of a metric's series whose last points are kept. */
export async function findKeptSeries(db: Database, workspaceId: string, metric: string) {
  const rows = await db
    .selectFrom("series")
    .select("labels")
    .where("workspace_id", "=", workspaceId)
    .where("metric", "=", metric)
    .where((where) =>
      where.exists(
        where
          .selectFrom("rule_points")
          .select("rule_points.series_id")
          .whereRef("rule_points.workspace_id", "=", "series.workspace_id")
          .whereRef("rule_points.series_id", "=", "series.series_id"),
      ),
    )
    .execute();
  return rows.map(({ labels }) => labels);
}

/** Whoever is silent while a rule is not evaluated is not missed afterwards, until heard of again. */
export async function listenAnew(
  transaction: Database,
  workspaceId: string,
  ruleIds: readonly string[],
): Promise<void> {
  if (ruleIds.length === 0) return;
  await transaction
    .updateTable("rules")
    .set({ judged_since: wallClock })
    .where("workspace_id", "=", workspaceId)
    .where("rule_id", "=", sql<string>`any(${ruleIds}::text[])`)
    .execute();
}
