import type { JsonValue } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { type Database, fromNow, wallClock } from "../db/database.ts";
import type { EdgeKey } from "../edges/store.ts";
import type { SeenProcess } from "./duplicates.ts";

/** Suspicion ends by itself when this long nothing has spoken for it. */
const SUSPICION_LASTS = sql`interval '10 minutes'`;
const MOST_PROCESSES = 20;

export interface Report {
  version: string;
  clockSkewMs: number | null;
  queue: JsonValue | null;
  declaredCapabilities: string[];
  warnings: string[];
  runningRevision: bigint;
}

export async function databaseTime(db: Database): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select wall_clock() as now`.execute(db);
  const [row] = rows;
  if (!row) throw new Error("the database told no time");
  return row.now;
}

export async function recordReport(db: Database, owner: EdgeKey, report: Report): Promise<void> {
  await db
    .updateTable("edges")
    .set({
      last_seen_at: wallClock,
      version: report.version,
      clock_skew_ms: report.clockSkewMs,
      queue: report.queue,
      declared_capabilities: report.declaredCapabilities,
      warnings: report.warnings,
      running_revision: report.runningRevision,
    })
    .where("workspace_id", "=", owner.workspace_id)
    .where("edge_id", "=", owner.edge_id)
    .execute();
}

export async function listSeenProcesses(db: Database, owner: EdgeKey): Promise<SeenProcess[]> {
  const rows = await db
    .selectFrom("edge_processes")
    .select(["process_id", "sequence", "nonce", "last_seen_at", "superseded_at"])
    .where("workspace_id", "=", owner.workspace_id)
    .where("edge_id", "=", owner.edge_id)
    .execute();
  return rows.map((row) => ({
    processId: row.process_id,
    sequence: row.sequence,
    nonce: row.nonce,
    lastSeenAt: row.last_seen_at,
    supersededAt: row.superseded_at ?? undefined,
  }));
}

/** Notes a sign of life; `inPlace` makes this process the one that all others were replaced by. */
export async function recordProcess(
  db: Database,
  owner: EdgeKey,
  process: {
    processId: string;
    hostname: string;
    address: string;
    version: string;
    sequence: bigint;
    nonce: string;
    inPlace: boolean;
  },
): Promise<void> {
  if (process.inPlace) {
    await db
      .updateTable("edge_processes")
      .set({ superseded_at: wallClock })
      .where("workspace_id", "=", owner.workspace_id)
      .where("edge_id", "=", owner.edge_id)
      .where("process_id", "!=", process.processId)
      .where("superseded_at", "is", null)
      .execute();
  }
  const { processId, inPlace, ...facts } = process;
  await db
    .insertInto("edge_processes")
    .values({
      ...owner,
      ...facts,
      process_id: processId,
      first_seen_at: wallClock,
      last_seen_at: wallClock,
    })
    .onConflict((conflict) =>
      conflict.columns(["workspace_id", "edge_id", "process_id"]).doUpdateSet({
        ...facts,
        sequence: sql<bigint>`greatest(edge_processes.sequence, excluded.sequence)`,
        last_seen_at: wallClock,
        ...(inPlace && { superseded_at: null }),
      }),
    )
    .execute();
  await db
    .deleteFrom("edge_processes")
    .where("workspace_id", "=", owner.workspace_id)
    .where("edge_id", "=", owner.edge_id)
    .where("process_id", "in", (select) =>
      select
        .selectFrom("edge_processes as old")
        .select("old.process_id")
        .where("old.workspace_id", "=", owner.workspace_id)
        .where("old.edge_id", "=", owner.edge_id)
        .orderBy("old.last_seen_at", "desc")
        .offset(MOST_PROCESSES),
    )
    .execute();
}

/** Adds a heartbeat to the time in which it was heard of, which begins anew after so long a silence. */
export async function recordContact(
  db: Database,
  owner: EdgeKey,
  missingAfterMs: number,
): Promise<void> {
  const { numAffectedRows } = await sql`
    update edge_contacts set ended_at = greatest(ended_at, wall_clock()), heartbeats = heartbeats + 1
    where workspace_id = ${owner.workspace_id} and edge_id = ${owner.edge_id}
      and contact_number = (
        select contact_number from edge_contacts as latest
        where latest.workspace_id = ${owner.workspace_id} and latest.edge_id = ${owner.edge_id}
        order by contact_number desc limit 1
      )
      and ended_at > ${fromNow(-missingAfterMs)}
  `.execute(db);
  if (numAffectedRows === 0n) await db.insertInto("edge_contacts").values(owner).execute();
}

/** active → duplicate_suspected, or fresh evidence for a suspicion that stands. */
export async function raiseSuspicion(
  db: Database,
  owner: EdgeKey,
  evidence: { returned: string; replacement: string },
): Promise<void> {
  await db
    .updateTable("edges")
    .set({
      status: "duplicate_suspected",
      suspected_at: sql`coalesce(suspected_at, wall_clock())`,
      suspected_last_at: wallClock,
      suspected_returned: evidence.returned,
      suspected_replacement: evidence.replacement,
    })
    .where("workspace_id", "=", owner.workspace_id)
    .where("edge_id", "=", owner.edge_id)
    .execute();
}

/** duplicate_suspected → active if one process alone has been seen long enough. */
export async function letSuspicionLapse(db: Database, owner: EdgeKey): Promise<boolean> {
  const lapsed = await db
    .updateTable("edges")
    .set({
      status: "active",
      suspected_at: null,
      suspected_last_at: null,
      suspected_returned: null,
      suspected_replacement: null,
    })
    .where("workspace_id", "=", owner.workspace_id)
    .where("edge_id", "=", owner.edge_id)
    .where("status", "=", "duplicate_suspected")
    .where("suspected_last_at", "<", sql<Date>`wall_clock() - ${SUSPICION_LASTS}`)
    .returning("edge_id")
    .executeTakeFirst();
  return lapsed !== undefined;
}

/**
 * duplicate_suspected → active because a person says so. What was seen is forgotten, so that the
 * suspicion comes back only on fresh evidence.
 */
export async function closeSuspicion(db: Database, owner: EdgeKey): Promise<void> {
  await db
    .updateTable("edges")
    .set({
      status: "active",
      suspected_at: null,
      suspected_last_at: null,
      suspected_returned: null,
      suspected_replacement: null,
    })
    .where("workspace_id", "=", owner.workspace_id)
    .where("edge_id", "=", owner.edge_id)
    .execute();
  await db
    .deleteFrom("edge_processes")
    .where("workspace_id", "=", owner.workspace_id)
    .where("edge_id", "=", owner.edge_id)
    .execute();
}

export interface DropLine {
  dropId: bigint;
  startedAt: Date | null;
  endedAt: Date | null;
  points: bigint;
  reason: string;
}

/** Adds to the ledger of losses; a line told twice counts once. */
export async function recordDrops(
  db: Database,
  owner: EdgeKey,
  queueId: string,
  drops: DropLine[],
): Promise<void> {
  if (drops.length === 0) return;
  await db
    .insertInto("edge_drops")
    .values(
      drops.map((drop) => ({
        ...owner,
        queue_id: queueId,
        drop_id: drop.dropId,
        started_at: drop.startedAt,
        ended_at: drop.endedAt,
        points: drop.points,
        reason: drop.reason,
      })),
    )
    .onConflict((conflict) => conflict.constraint("a_drop_counts_once").doNothing())
    .execute();
}

/** Whether the credential in use is older than credentials should get. */
export async function isCredentialOld(
  db: Database,
  workspaceId: string,
  credentialId: string,
  maxAgeMs: number,
): Promise<boolean> {
  const old = await db
    .selectFrom("edge_credentials")
    .select("credential_id")
    .where("workspace_id", "=", workspaceId)
    .where("credential_id", "=", credentialId)
    .where(
      "created_at",
      "<",
      sql<Date>`wall_clock() - ${maxAgeMs}::double precision * interval '1 millisecond'`,
    )
    .executeTakeFirst();
  return old !== undefined;
}
