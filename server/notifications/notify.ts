import { indexKey } from "../../lib/index-key.ts";
import type { Database } from "../db/database.ts";
import { loadRoutes, type Route, routesOf } from "../notification-routes/store.ts";
import { endInGroups, joinGroups, type WantedGroup } from "./groups.ts";
import { findSubjects, type Subject } from "./subjects.ts";
import { tellGroups } from "./tell.ts";

/**
 * What an alert's beginning leads to: it is put into a group of each route that it takes, and what there is to
 * tell now is written in the same transaction. So nothing is told twice, or lost, whoever crashes when.
 */
export async function tellStarted(
  transaction: Database,
  workspaceId: string,
  gathered: readonly { alertId: string; incidentId: string }[],
): Promise<void> {
  const routes = await loadRoutes(transaction, workspaceId);
  const subjects = await findSubjects(
    transaction,
    workspaceId,
    gathered.map(({ alertId }) => alertId),
  );
  const wanted = new Map<string, WantedGroup>();
  for (const { alertId, incidentId } of gathered) {
    const subject = subjects.get(alertId);
    if (!subject) continue;
    for (const route of routesOf(routes, subject)) {
      if (route.channelIds.length === 0) continue;
      const { key, labels } = groupOf(route, subject, incidentId);
      const id = JSON.stringify([route.routeId, key]);
      const group = wanted.get(id) ?? { route, key, labels, alertIds: [] };
      group.alertIds.push(alertId);
      wanted.set(id, group);
    }
  }
  if (wanted.size === 0) return;
  const groupIds = await joinGroups(transaction, workspaceId, [...wanted.values()]);
  await tellGroups(transaction, workspaceId, groupIds);
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
