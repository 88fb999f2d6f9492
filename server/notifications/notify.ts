import { makeBreath } from "../../lib/breath.ts";
import { indexKey } from "../../lib/index-key.ts";
import type { Severity } from "../alerts/table.ts";
import type { Database } from "../db/database.ts";
import { loadRoutes, type Route, routesOf } from "../notification-routes/store.ts";
import { endInGroups, joinGroups, noteWorse, type WantedGroup } from "./groups.ts";
import { findSubjects, type Subject } from "./subjects.ts";
import { tellGroups } from "./tell.ts";

/**
 * What an alert's beginning leads to: it is put into a group of each route that it takes, and what there is to
 * tell now is written in the same transaction. So nothing is told twice, or lost, whoever crashes when.
 */
export async function tellStarted(
  transaction: Database,
  workspaceId: string,
  gathered: readonly Gathered[],
): Promise<void> {
  await tellGroups(transaction, workspaceId, await join(transaction, workspaceId, gathered));
}

/** What a worse severity leads to: the routes that want it hear of it, those that have told the alert as well. */
export async function tellWorse(
  transaction: Database,
  workspaceId: string,
  gathered: readonly (Gathered & { than: Severity })[],
): Promise<void> {
  const groupIds = await join(transaction, workspaceId, gathered);
  await noteWorse(transaction, workspaceId, groupIds, gathered);
  await tellGroups(transaction, workspaceId, groupIds);
}

interface Gathered {
  alertId: string;
  incidentId: string;
}

/** Puts alerts into a group of each route that they take now; answers the groups. */
async function join(
  transaction: Database,
  workspaceId: string,
  gathered: readonly Gathered[],
): Promise<string[]> {
  const routes = await loadRoutes(transaction, workspaceId);
  const subjects = await findSubjects(
    transaction,
    workspaceId,
    gathered.map(({ alertId }) => alertId),
  );
  const wanted = new Map<string, WantedGroup>();
  const breathe = makeBreath();
  for (const { alertId, incidentId } of gathered) {
    const subject = subjects.get(alertId);
    if (!subject) continue;
    for (const route of await routesOf(routes, subject, breathe)) {
      if (route.channelIds.length === 0) continue;
      const { key, labels } = groupOf(route, subject, incidentId);
      const id = JSON.stringify([route.routeId, key]);
      const group = wanted.get(id) ?? { route, key, labels, alertIds: [] };
      group.alertIds.push(alertId);
      wanted.set(id, group);
    }
  }
  if (wanted.size === 0) return [];
  return joinGroups(transaction, workspaceId, [...wanted.values()]);
}

/** What an alert's end leads to, in the groups that it was told in. */
export async function tellEnded(
  transaction: Database,
  workspaceId: string,
  alertIds: readonly string[],
): Promise<void> {
  if (alertIds.length === 0) return;
  const groupIds = await endInGroups(transaction, workspaceId, alertIds);
  await tellGroups(transaction, workspaceId, groupIds);
}

function groupOf(
  route: Route,
  subject: Subject,
  incidentId: string,
): { key: string; labels: Record<string, string> } {
  switch (route.grouping) {
    case "incident":
      return { key: incidentId, labels: {} };
    case "alert":
      return { key: indexKey(subject.key), labels: subject.labels };
    case "labels": {
      const labels = [...route.groupLabels]
        .sort()
        .map((label) => [label, subject.labels[label] ?? ""] as const);
      return { key: indexKey(JSON.stringify(labels)), labels: Object.fromEntries(labels) };
    }
  }
}
