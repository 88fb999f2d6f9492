import { create, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import {
  AlertConditionsSchema,
  type SilenceSchema,
  type SilenceService,
  Silence_Status as Status,
} from "../../gen/lumetry/v1/silence_service_pb.js";
import { makeBreath } from "../../lib/breath.ts";
import { definedOnly } from "../../lib/defined.ts";
import { makeId } from "../../lib/ids.ts";
import { readClock } from "../alerts/store.ts";
import { recordChange } from "../audit/store.ts";
import { originOf, personOf } from "../context.ts";
import { lockIncidents, requireIncident } from "../incidents/store.ts";
import { compileConditions, saysNothing } from "../notifications/conditions.ts";
import { lookAgain } from "../notifications/groups.ts";
import { cutPage, readPage } from "../page.ts";
import { notFound } from "../problem.ts";
import { explained } from "../query/problems.ts";
import type { Parts } from "../routes.ts";
import * as store from "./store.ts";

const LONGEST_MS = 366 * 86_400_000;

function statusOf(row: store.SilenceRow): Status {
  if (row.ends_at <= row.read_at) return Status.ENDED;
  return row.starts_at > row.read_at ? Status.PENDING : Status.ACTIVE;
}

type Firing = Awaited<ReturnType<typeof store.listFiring>>;

async function toSilence(
  row: store.SilenceRow,
  firing: Firing,
): Promise<MessageInitShape<typeof SilenceSchema>> {
  const meant = store.makeSilencer([row]);
  const breathe = makeBreath();
  let firingAlerts = 0;
  for (const { subject, incidentId } of firing) {
    if (meant(subject, incidentId)) firingAlerts += 1;
    await breathe();
  }
  return {
    silenceId: row.silence_id,
    conditions: store.conditionsOf(row),
    incidentId: row.incident_id ?? "",
    startTime: timestampFromDate(row.starts_at),
    endTime: timestampFromDate(row.ends_at),
    reason: row.reason,
    status: statusOf(row),
    createdBy: row.created_by,
    createdByName: row.created_by_name,
    createTime: timestampFromDate(row.created_at),
    firingAlerts,
  };
}

function checkEnd(end: Date, start: Date, now: Date): void {
  if (end > start && end > now && end.getTime() - now.getTime() <= LONGEST_MS) return;
  throw new ConnectError(
    "end_time must be after the start, in the future, and at most 366 days from now",
    Code.InvalidArgument,
  );
}

function dateOf(time: Timestamp, field: string): Date {
  const date = timestampDate(time);
  if (!Number.isNaN(date.getTime())) return date;
  throw new ConnectError(`${field} is no time`, Code.InvalidArgument);
}

const isOver = () => new ConnectError("the silence is over; add another", Code.FailedPrecondition);

export function silenceService({ db }: Parts): ServiceImpl<typeof SilenceService> {
  const show = async (workspaceId: string, silenceId: string) => {
    const row = await store.findSilence(db, workspaceId, silenceId);
    if (!row) throw notFound("silence", silenceId);
    return { silence: await toSilence(row, await store.listFiring(db, workspaceId)) };
  };

  /** Changes a silence that is not over, with a line in the audit log; what it kept back is looked at again. */
  const change = async (
    context: HandlerContext,
    silenceId: string,
    action: string,
    work: (silence: store.Silence, now: Date) => Parameters<typeof store.updateSilence>[2],
  ) => {
    const person = personOf(context);
    await db.transaction().execute(async (transaction) => {
      await lockIncidents(transaction, person.workspaceId);
      const silence = await store.lockSilence(transaction, person.workspaceId, silenceId);
      if (!silence) throw notFound("silence", silenceId);
      if (silence.ends_at <= silence.read_at) throw isOver();
      await store.updateSilence(transaction, silence, work(silence, silence.read_at));
      await lookAgain(transaction, person.workspaceId);
      await recordChange(transaction, person.workspaceId, person, originOf(context), {
        action,
        target: { id: silenceId, name: silence.reason },
      });
    });
    return show(person.workspaceId, silenceId);
  };

  return {
    async createSilence(request, context) {
      const person = personOf(context);
      const { workspaceId } = person;
      const { incidentId, reason, endTime } = request;
      const conditions = request.conditions ?? create(AlertConditionsSchema);
      if (saysNothing(conditions) && incidentId === "") {
        throw new ConnectError(
          "a silence has to be about something: give conditions or an incident",
          Code.InvalidArgument,
        );
      }
      await explained(async () => compileConditions(conditions));
      const silenceId = makeId("sil");
      await db.transaction().execute(async (transaction) => {
        const now = await readClock(transaction);
        const startsAt = request.startTime ? dateOf(request.startTime, "start_time") : now;
        const endsAt = endTime ? dateOf(endTime, "end_time") : now;
        checkEnd(endsAt, startsAt, now);
        if (incidentId) await requireIncident(transaction, workspaceId, incidentId);
        await store.insertSilence(transaction, {
          workspaceId,
          silenceId,
          conditions: toJson(AlertConditionsSchema, conditions),
          incidentId: incidentId || null,
          startsAt,
          endsAt,
          reason,
          createdBy: person.userId,
        });
        await recordChange(transaction, workspaceId, person, originOf(context), {
          action: "silence.created",
          target: { id: silenceId, name: reason },
          details: {
            conditions: toJson(AlertConditionsSchema, conditions),
            incidentId,
            endTime: endsAt.toISOString(),
          },
        });
      });
      return show(workspaceId, silenceId);
    },

    getSilence: ({ silenceId }, context) => show(personOf(context).workspaceId, silenceId),

    async listSilences(request, context) {
      const { workspaceId } = personOf(context);
      const page = readPage(request, 2);
      const found = await store.listSilences(db, workspaceId, page, request);
      const { rows, nextPageToken } = cutPage(found, page, (row) => [row.end_text, row.silence_id]);
      const firing = rows.length > 0 ? await store.listFiring(db, workspaceId) : [];
      const silences = [];
      for (const row of rows) silences.push(await toSilence(row, firing));
      return { silences, nextPageToken };
    },

    updateSilence: ({ silenceId, endTime, reason }, context) =>
      change(context, silenceId, "silence.updated", (silence, now) => {
        const endsAt = endTime && dateOf(endTime, "end_time");
        if (endsAt) checkEnd(endsAt, silence.starts_at, now);
        return definedOnly({ ends_at: endsAt, reason });
      }),

    endSilence: ({ silenceId }, context) =>
      change(context, silenceId, "silence.ended", (silence, now) => ({
        ends_at: now,
        // One that was to come never held.
        ...(silence.starts_at > now && { starts_at: now }),
      })),
  };
}
