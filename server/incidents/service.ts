import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { IncidentService } from "../../gen/lumetry/v1/incident_service_pb.js";
import { severityName } from "../alerts/severities.ts";
import { recordChange } from "../audit/store.ts";
import { originOf, type Person, personOf } from "../context.ts";
import { type Database, wallClock } from "../db/database.ts";
import { tellEnded } from "../notifications/notify.ts";
import { cutPage, readPage } from "../page.ts";
import { findUser } from "../people/user-store.ts";
import { notFound } from "../problem.ts";
import type { Parts } from "../routes.ts";
import { listFiring, loadSilencer } from "../silences/store.ts";
import * as listing from "./listing.ts";
import { statesOf, toAlert, toEvent, toIncident } from "./shape.ts";
import * as store from "./store.ts";
import { addEvents } from "./timeline.ts";

const MOST_EVENTS = 200;

const keyOfEvent = ({ event_id }: { event_id: bigint }) => [String(event_id)];

export function incidentService({ db }: Parts): ServiceImpl<typeof IncidentService> {
  /** How many alerts of each incident fire and are silenced at this moment. */
  const countSilenced = async (workspaceId: string): Promise<Map<string, number>> => {
    const silencer = await loadSilencer(db, workspaceId);
    const counts = new Map<string, number>();
    for (const { subject, incidentId } of await listFiring(db, workspaceId)) {
      if (silencer(subject, incidentId)) {
        counts.set(incidentId, (counts.get(incidentId) ?? 0) + 1);
      }
    }
    return counts;
  };

  const show = async (workspaceId: string, incidentId: string) => {
    const row = await listing.findIncident(db, workspaceId, incidentId);
    if (!row) throw notFound("incident", incidentId);
    const silenced = row.firing > 0 ? await countSilenced(workspaceId) : new Map();
    return { incident: toIncident(row, silenced.get(incidentId) ?? 0) };
  };

  /** Changes an incident under the lock of its workspace, with a line in the audit log, in one transaction. */
  const change = async (
    context: HandlerContext,
    incidentId: string,
    action: string,
    work: (
      transaction: Database,
      incident: store.Incident,
      person: Person,
    ) => Promise<Record<string, unknown>>,
  ) => {
    const person = personOf(context);
    const { workspaceId } = person;
    await db.transaction().execute(async (transaction) => {
      await store.lockIncidents(transaction, workspaceId);
      const incident = await store.requireIncident(transaction, workspaceId, incidentId);
      const details = await work(transaction, incident, person);
      await recordChange(transaction, workspaceId, person, originOf(context), {
        action: `incident.${action}`,
        target: { id: incidentId, name: incident.title },
        details,
      });
    });
    return show(workspaceId, incidentId);
  };

  const set = (
    transaction: Database,
    { workspace_id, incident_id }: store.Incident,
    change: Parameters<typeof store.setIncident>[2],
  ) => store.setIncident(transaction, { workspace_id, incident_id }, change);

  return {
    async getIncident({ incidentId }, context) {
      const { workspaceId } = personOf(context);
      const shown = await show(workspaceId, incidentId);
      const silencer = await loadSilencer(db, workspaceId);
      const members = await listing.listMembers(db, workspaceId, incidentId);
      const page = { size: MOST_EVENTS, after: undefined };
      const events = await listing.listEvents(db, workspaceId, incidentId, page);
      return {
        ...shown,
        alerts: members.map((row) => toAlert(row, incidentId, silencer)),
        events: events.slice(0, MOST_EVENTS).map(toEvent),
      };
    },

    async listIncidents(request, context) {
      const { workspaceId } = personOf(context);
      const page = readPage(request, 1);
      const found = await listing.listIncidents(db, workspaceId, page, {
        states: statesOf(request.states),
        severities: request.severities.map(severityName).filter((name) => name !== undefined),
        assigneeId: request.assigneeId,
        search: request.search,
        number: request.number,
        since: request.since && timestampDate(request.since),
      });
      const { rows, nextPageToken } = cutPage(found, page, ({ number }) => [String(number)]);
      const isBurning = rows.some(({ firing }) => firing > 0);
      const silenced = isBurning ? await countSilenced(workspaceId) : new Map<string, number>();
      return {
        incidents: rows.map((row) => toIncident(row, silenced.get(row.incident_id) ?? 0)),
        nextPageToken,
      };
    },

    async listIncidentEvents(request, context) {
      const { workspaceId } = personOf(context);
      const { incidentId } = request;
      await store.requireIncident(db, workspaceId, incidentId);
      const page = readPage(request, 1);
      const found = await listing.listEvents(db, workspaceId, incidentId, page);
      const { rows, nextPageToken } = cutPage(found, page, keyOfEvent);
      return { events: rows.map(toEvent), nextPageToken };
    },

    acknowledgeIncident: ({ incidentId, comment }, context) =>
      change(context, incidentId, "acknowledged", async (transaction, incident, person) => {
        if (incident.state !== "open") {
          throw new ConnectError(`the incident is ${incident.state}`, Code.FailedPrecondition);
        }
        await set(transaction, incident, {
          state: "acknowledged",
          acknowledged_at: wallClock,
          acknowledged_by: person.userId,
          assignee_id: incident.assignee_id ?? person.userId,
        });
        await addEvents(transaction, person.workspaceId, [
          { incidentId, kind: "acknowledged", message: comment, actor: person },
        ]);
        return {};
      }),

    assignIncident: ({ incidentId, userId }, context) =>
      change(context, incidentId, "assigned", async (transaction, incident, person) => {
        const { workspaceId } = person;
        const user = userId ? await findUser(transaction, workspaceId, userId) : undefined;
        if (userId && !user) throw notFound("user", userId);
        await set(transaction, incident, { assignee_id: user?.user_id ?? null });
        const message = user ? `To ${user.display_name}.` : "To nobody.";
        await addEvents(transaction, workspaceId, [
          { incidentId, kind: "assigned", message, actor: person },
        ]);
        return { userId };
      }),

    async commentIncident({ incidentId, comment }, context) {
      await change(context, incidentId, "commented", async (transaction, _incident, person) => {
        await addEvents(transaction, person.workspaceId, [
          { incidentId, kind: "commented", message: comment, actor: person },
        ]);
        return {};
      });
      const { workspaceId, userId } = personOf(context);
      const page = { size: MOST_EVENTS, after: undefined };
      const events = await listing.listEvents(db, workspaceId, incidentId, page);
      const own = events.find(({ kind, actor_id }) => kind === "commented" && actor_id === userId);
      return own ? { event: toEvent(own) } : {};
    },

    resolveIncident: ({ incidentId, comment }, context) =>
      change(context, incidentId, "resolved", async (transaction, incident, person) => {
        const { workspaceId } = person;
        if (incident.state === "resolved") {
          throw new ConnectError("the incident is resolved already", Code.FailedPrecondition);
        }
        await set(transaction, incident, {
          state: "resolved",
          resolved_at: wallClock,
          resolved_by: person.userId,
        });
        await addEvents(transaction, workspaceId, [
          { incidentId, kind: "resolved", message: comment, actor: person },
        ]);
        const firing = await store.listFiringIds(transaction, workspaceId, incidentId);
        await tellEnded(transaction, workspaceId, firing);
        return { alertsStillFiring: firing.length };
      }),
  };
}
