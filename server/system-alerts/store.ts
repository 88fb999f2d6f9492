import { type Selectable, sql } from "kysely";
import { type Database, fromNow, wallClock } from "../db/database.ts";
import type { Decision, OpenAlert } from "./decide.ts";
import { kindOfName, type WatchableKind } from "./kinds.ts";
import type { SystemAlertTables } from "./table.ts";

export type Watch = Selectable<SystemAlertTables["system_alert_watches"]> & { now: Date };

/** Has every workspace watched. */
export async function enterWatches(db: Database): Promise<void> {
  await sql`
    insert into system_alert_watches (workspace_id)
    select workspace_id from workspaces
    where not exists (
      select 1 from system_alert_watches as watch where watch.workspace_id = workspaces.workspace_id
    )
    on conflict do nothing
  `.execute(db);
}

/** Locks the watch that is due and has waited longest, unless somebody has it. */
export async function claimWatch(transaction: Database): Promise<Watch | undefined> {
  return transaction
    .selectFrom("system_alert_watches")
    .selectAll()
    .select(wallClock.as("now"))
    .where("due_at", "<=", wallClock)
    .orderBy("due_at")
    .limit(1)
    .forNoKeyUpdate()
    .skipLocked()
    .executeTakeFirst();
}

/** Waits for the watch of a workspace, and locks it. */
export async function lockWatch(transaction: Database, workspaceId: string): Promise<void> {
  await transaction
    .selectFrom("system_alert_watches")
    .select("workspace_id")
    .where("workspace_id", "=", workspaceId)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

/** Notes that a workspace was looked at; after a gap it is watched from now on only. */
export async function endLook(
  transaction: Database,
  workspaceId: string,
  everyMs: number,
  isGap: boolean,
): Promise<void> {
  await transaction
    .updateTable("system_alert_watches")
    .set({
      looked_at: wallClock,
      due_at: fromNow(everyMs),
      ...(isGap && { watched_since: wallClock }),
    })
    .where("workspace_id", "=", workspaceId)
    .execute();
}

/**
 * Notes that a look has failed, and is tried again in a while. It makes no gap of its own, since a server was there
 * that edges could reach; one that there was already is still to be seen.
 */
export async function noteFailure(
  db: Database,
  workspaceId: string,
  { againInMs, gapMs }: { againInMs: number; gapMs: number },
): Promise<void> {
  await db
    .updateTable("system_alert_watches")
    .set({
      looked_at: sql`case when looked_at < ${fromNow(-gapMs)} then looked_at else wall_clock() end`,
      due_at: fromNow(againInMs),
    })
    .where("workspace_id", "=", workspaceId)
    .execute();
}

/** Has a workspace looked at now. */
export async function hurry(db: Database, workspaceId: string): Promise<void> {
  await db
    .updateTable("system_alert_watches")
    .set({ due_at: wallClock })
    .where("workspace_id", "=", workspaceId)
    .execute();
}

/** The workspace's system alerts that are not resolved. */
export async function listOpen(db: Database, workspaceId: string): Promise<OpenAlert[]> {
  const rows = await db
    .selectFrom("alerts")
    .leftJoin("system_alert_recoveries as recovery", (join) =>
      join
        .onRef("recovery.workspace_id", "=", "alerts.workspace_id")
        .onRef("recovery.alert_id", "=", "alerts.alert_id"),
    )
    .selectAll("alerts")
    .select("recovery.clear_since")
    .where("alerts.workspace_id", "=", workspaceId)
    .where("alerts.origin", "=", "system")
    .where("alerts.state", "<>", "resolved")
    .execute();
  return rows.map(({ clear_since, ...row }) => ({ row, clearSinceMs: clear_since?.getTime() }));
}

/** Keeps since when all is well. */
export async function noteRecoveries(
  db: Database,
  workspaceId: string,
  { clear, unclear }: Decision,
): Promise<void> {
  if (clear.length > 0) {
    await sql`
      insert into system_alert_recoveries (workspace_id, alert_id)
      select ${workspaceId}, alert_id from unnest(${clear}::text[]) as clear (alert_id)
      on conflict do nothing
    `.execute(db);
  }
  await sql`
    delete from system_alert_recoveries as recovery using alerts
    where recovery.workspace_id = ${workspaceId} and alerts.workspace_id = recovery.workspace_id
      and alerts.alert_id = recovery.alert_id
      and (alerts.state = 'resolved' or alerts.alert_id = any(${unclear}::text[]))
  `.execute(db);
}

/** Which of the things that open alerts are about are no more, with words for it. */
export async function findGone(
  db: Database,
  workspaceId: string,
  open: readonly OpenAlert[],
): Promise<Map<string, string>> {
  if (open.length === 0) return new Map();
  const { rows } = await sql<{ subject: string; noun: string }>`
    select subject, 'revoked' as noun from unnest(${open.map(({ row }) => row.group_key)}::text[])
      as subject
    join edges on edges.workspace_id = ${workspaceId} and edge_id = subject and status = 'revoked'
    union
    select subject, 'deleted' from unnest(${open.map(({ row }) => row.group_key)}::text[]) as subject
    where subject like 'src.%' and not exists (
      select from sources where sources.workspace_id = ${workspaceId} and source_id = subject)
  `.execute(db);
  return new Map(rows.map(({ subject, noun }) => [subject, `It was ${noun}.`]));
}

export interface Counts {
  firing: number;
  suppressed: number;
  pending: number;
}

/** How many alerts of each kind are open, and how. */
export async function countOpen(
  db: Database,
  workspaceId: string,
): Promise<Map<WatchableKind, Counts>> {
  const { rows } = await sql<{
    system_kind: string;
    firing: bigint;
    suppressed: bigint;
    pending: bigint;
  }>`
    select system_kind, count(*) filter (where state = 'firing' and suppressed_by is null) as firing,
      count(*) filter (where state = 'firing' and suppressed_by is not null) as suppressed,
      count(*) filter (where state = 'pending') as pending
    from alerts
    where workspace_id = ${workspaceId} and origin = 'system' and state <> 'resolved'
    group by system_kind
  `.execute(db);
  const counts = new Map<WatchableKind, Counts>();
  for (const { system_kind, ...row } of rows) {
    const kind = kindOfName(system_kind);
    if (kind === undefined) continue;
    const [firing, suppressed, pending] = [row.firing, row.suppressed, row.pending].map(Number);
    counts.set(kind, {
      firing: firing ?? 0,
      suppressed: suppressed ?? 0,
      pending: pending ?? 0,
    });
  }
  return counts;
}
