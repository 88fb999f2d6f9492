import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { type Selectable, sql } from "kysely";
import {
  type AlertConditions,
  AlertConditionsSchema,
} from "../../gen/lumetry/v1/silence_service_pb.js";
import { type Database, wallClock } from "../db/database.ts";
import { compileConditions } from "../notifications/conditions.ts";
import {
  type Subject,
  type SubjectRow,
  subjectColumns,
  toSubject,
} from "../notifications/subjects.ts";
import type { Page } from "../page.ts";
import type { SilenceTables } from "./table.ts";

export type Silence = Selectable<SilenceTables["silences"]>;

function selectSilences(db: Database, workspaceId: string) {
  return db
    .selectFrom("silences")
    .leftJoin("users", (join) =>
      join
        .onRef("users.workspace_id", "=", "silences.workspace_id")
        .onRef("users.user_id", "=", "silences.created_by"),
    )
    .selectAll("silences")
    .select([
      wallClock.as("read_at"),
      sql<string>`coalesce(users.display_name, '')`.as("created_by_name"),
      sql<string>`to_char(ends_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`.as("end_text"),
    ])
    .where("silences.workspace_id", "=", workspaceId);
}

export type SilenceRow = NonNullable<Awaited<ReturnType<typeof findSilence>>>;

export const findSilence = (db: Database, workspaceId: string, silenceId: string) =>
  selectSilences(db, workspaceId).where("silence_id", "=", silenceId).executeTakeFirst();

/** Those that end last first; a page starts after the end and id that are its key. */
export function listSilences(
  db: Database,
  workspaceId: string,
  page: Page,
  { includeEnded }: { includeEnded: boolean },
) {
  let query = selectSilences(db, workspaceId)
    .orderBy("ends_at", "desc")
    .orderBy("silence_id", "desc")
    .limit(page.size + 1);
  if (!includeEnded) query = query.where("ends_at", ">", wallClock);
  const [end = "", id = ""] = page.after ?? [];
  if (page.after) {
    query = query.where(
      sql<boolean>`(to_char(ends_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), silence_id) < (${end}, ${id})`,
    );
  }
  return query.execute();
}

export function lockSilence(transaction: Database, workspaceId: string, silenceId: string) {
  return transaction
    .selectFrom("silences")
    .selectAll()
    .select(wallClock.as("read_at"))
    .where("workspace_id", "=", workspaceId)
    .where("silence_id", "=", silenceId)
    .forUpdate()
    .executeTakeFirst();
}

export async function insertSilence(
  transaction: Database,
  silence: {
    workspaceId: string;
    silenceId: string;
    conditions: JsonValue;
    incidentId: string | null;
    startsAt: Date;
    endsAt: Date;
    reason: string;
    createdBy: string;
  },
): Promise<void> {
  await transaction
    .insertInto("silences")
    .values({
      workspace_id: silence.workspaceId,
      silence_id: silence.silenceId,
      conditions: JSON.stringify(silence.conditions),
      incident_id: silence.incidentId,
      starts_at: silence.startsAt,
      ends_at: silence.endsAt,
      reason: silence.reason,
      created_by: silence.createdBy,
    })
    .execute();
}

export async function updateSilence(
  transaction: Database,
  { workspace_id, silence_id }: Pick<Silence, "workspace_id" | "silence_id">,
  change: { starts_at?: Date; ends_at?: Date; reason?: string },
): Promise<void> {
  await transaction
    .updateTable("silences")
    .set({ silence_id, ...change })
    .where("workspace_id", "=", workspace_id)
    .where("silence_id", "=", silence_id)
    .execute();
}

/** What keeps an alert from being told. */
export interface Hush {
  silenceId: string;
  reason: string;
  endsAt: Date;
}

export type Silencer = (subject: Subject, incidentId: string | undefined) => Hush | undefined;

export const conditionsOf = (silence: Pick<Silence, "conditions">): AlertConditions =>
  fromJson(AlertConditionsSchema, silence.conditions, { ignoreUnknownFields: true });

type Holding = Pick<Silence, "silence_id" | "reason" | "ends_at" | "incident_id" | "conditions">;

/** Of several silences that keep an alert back, the one that ends last. */
export function makeSilencer(silences: readonly Holding[]): Silencer {
  const compiled = silences
    .map((silence) => ({ silence, matches: compileConditions(conditionsOf(silence)) }))
    .sort((a, b) => b.silence.ends_at.getTime() - a.silence.ends_at.getTime());
  return (subject, incidentId) => {
    const found = compiled.find(
      ({ silence, matches }) =>
        (silence.incident_id === null || silence.incident_id === incidentId) && matches(subject),
    )?.silence;
    return found && { silenceId: found.silence_id, reason: found.reason, endsAt: found.ends_at };
  };
}

/** The silences that hold at this moment. */
export async function loadSilencer(db: Database, workspaceId: string): Promise<Silencer> {
  const silences = await db
    .selectFrom("silences")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("starts_at", "<=", wallClock)
    .where("ends_at", ">", wallClock)
    .execute();
  return makeSilencer(silences);
}

const MOST_COUNTED = 10_000;

/** Alerts that fire, with their incidents: those that a silence can be about. */
export async function listFiring(db: Database, workspaceId: string) {
  const { rows } = await sql<SubjectRow & { incident_id: string }>`
    select ${subjectColumns}, incident_id
    from incident_alerts as gathered join alerts using (workspace_id, alert_id)
    where workspace_id = ${workspaceId} and gathered.ended_at is null limit ${MOST_COUNTED}
  `.execute(db);
  return rows.map((row) => ({ subject: toSubject(row), incidentId: row.incident_id }));
}
