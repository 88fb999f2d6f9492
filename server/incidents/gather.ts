import { cutText } from "../../lib/text.ts";
import { isWorse } from "../alerts/severities.ts";
import type { AlertRow } from "../alerts/store.ts";
import type { Severity } from "../alerts/table.ts";
import { byServer, recordChange } from "../audit/store.ts";
import type { Database } from "../db/database.ts";
import { tellEnded, tellStarted, tellWorse } from "../notifications/notify.ts";
import * as store from "./store.ts";
import { type Tie, tiesOf } from "./ties.ts";
import { addEvents, type NewEvent } from "./timeline.ts";

/** An alert that somebody has to be told of: it began to fire, has become worse, or has ended after that. */
export type Firing = {
  /** As it is now, in the caller's transaction. */
  alert: AlertRow;
} & ({ change: "started" | "stopped" } | { change: "worsened"; than: Severity });

/**
 * Gathers alerts into incidents, and has them told. Called in the transaction that changes the alerts, in the
 * order of their changes, once for each start, each worse severity and each end; never for what is pending,
 * suppressed or held. A start or an end that is said a second time does nothing.
 */
export async function gatherIncidents(
  transaction: Database,
  workspaceId: string,
  firings: readonly Firing[],
): Promise<void> {
  await store.lockIncidents(transaction, workspaceId);
  for (const run of runsOf(firings)) {
    const alerts = run.map(({ alert }) => alert);
    const worse = run.filter((firing) => firing.change === "worsened");
    if (worse.length > 0) await worsen(transaction, workspaceId, worse);
    else if (run[0]?.change === "started") await start(transaction, workspaceId, alerts);
    else await stop(transaction, workspaceId, alerts);
  }
}

/**
 * Starts without an end between them are told together, and ends without a start. So what is told does not
 * depend on how much of the log was read at once.
 */
function runsOf(firings: readonly Firing[]): Firing[][] {
  const runs: Firing[][] = [];
  for (const firing of firings) {
    const last = runs.at(-1);
    if (last?.[0]?.change === firing.change) last.push(firing);
    else runs.push([firing]);
  }
  return runs;
}

async function start(
  transaction: Database,
  workspaceId: string,
  alerts: readonly AlertRow[],
): Promise<void> {
  const known = await store.findGathered(transaction, workspaceId, idsOf(alerts));
  const fresh = alerts.filter(({ alert_id }) => known.get(alert_id)?.ended !== false);
  if (fresh.length === 0) return;
  const ties = new Map(fresh.map((alert) => [alert.alert_id, tiesOf(alert)]));
  const candidates = await store.findCandidates(transaction, workspaceId, [
    ...new Set([...ties.values()].flat().map(({ key }) => key)),
  ]);
  let number = await store.lastNumber(transaction, workspaceId);
  const opened: store.NewIncident[] = [];
  const joined: store.NewMember[] = [];
  const touched = new Map<string, store.Candidate>();
  const reopened = new Set<store.Candidate>();
  const events: NewEvent[] = [];

  for (const alert of fresh) {
    const own = ties.get(alert.alert_id) ?? [];
    const found = choose(candidates, own);
    let incident = found?.incident;
    let reason = found ? sentence(found.tie.because) : "It opened this incident.";
    if (!incident) {
      number += 1n;
      incident = store.makeCandidate(number, alert);
      opened.push({ incident, title: titleOf(alert) });
      candidates.push(incident);
      events.push({ incidentId: incident.incidentId, kind: "opened", message: titleOf(alert) });
    } else if (incident.state === "resolved") {
      incident.state = "open";
      reopened.add(incident);
      reason = "It fires again, soon after the incident was resolved.";
      events.push({ incidentId: incident.incidentId, kind: "reopened", message: reason });
    }
    if (isWorse(alert.severity, incident.severity)) incident.severity = alert.severity;
    incident.gathers = true;
    for (const { key } of own) incident.ties.add(key);
    touched.set(incident.incidentId, incident);
    joined.push({ alertId: alert.alert_id, incidentId: incident.incidentId, reason });
    events.push({
      incidentId: incident.incidentId,
      kind: "alert_fired",
      alertId: alert.alert_id,
      message: `${titleOf(alert)}. ${reason}`,
    });
  }

  await store.insertIncidents(transaction, workspaceId, opened);
  await store.joinIncidents(transaction, workspaceId, [...touched.values()], joined);
  await store.reopenIncidents(transaction, workspaceId, [...reopened]);
  await addEvents(transaction, workspaceId, events);
  for (const { incident, title } of opened) {
    await audit(transaction, workspaceId, "incident.opened", incident.incidentId, title);
  }
  for (const { incidentId, title } of reopened) {
    await audit(transaction, workspaceId, "incident.reopened", incidentId, title);
  }
  await tellStarted(transaction, workspaceId, joined);
}

/** The incident of the closest tie; of several with that tie, the latest. */
function choose(
  candidates: readonly store.Candidate[],
  ties: readonly Tie[],
): { incident: store.Candidate; tie: Tie } | undefined {
  for (const tie of ties) {
    const incident = candidates.findLast(
      (one) =>
        one.ties.has(tie.key) &&
        (tie.isSame ? one.state !== "resolved" || one.mayReopen : one.gathers),
    );
    if (incident) return { incident, tie };
  }
  return undefined;
}

/** In an incident that is over for people, a worse severity is nothing new. */
async function worsen(
  transaction: Database,
  workspaceId: string,
  firings: readonly Extract<Firing, { change: "worsened" }>[],
): Promise<void> {
  const ids = idsOf(firings.map(({ alert }) => alert));
  const known = await store.findGathered(transaction, workspaceId, ids);
  const worse = firings.flatMap(({ alert: { alert_id: alertId, severity }, than }) => {
    const gathered = known.get(alertId);
    if (!gathered || gathered.ended) return [];
    return [{ alertId, incidentId: gathered.incidentId, severity, than }];
  });
  if (worse.length === 0) return;
  await store.raiseIncidents(transaction, workspaceId, worse);
  await tellWorse(transaction, workspaceId, worse);
}

async function stop(
  transaction: Database,
  workspaceId: string,
  alerts: readonly AlertRow[],
): Promise<void> {
  const ended = await store.endMembers(transaction, workspaceId, idsOf(alerts));
  if (ended.length === 0) return;
  const byId = new Map(alerts.map((alert) => [alert.alert_id, alert]));
  const events: NewEvent[] = ended.map(({ alert_id, incident_id }) => {
    const alert = byId.get(alert_id);
    return {
      incidentId: incident_id,
      kind: "alert_resolved",
      alertId: alert_id,
      message: alert ? titleOf(alert) + (alert.resolve_reason && `: ${alert.resolve_reason}`) : "",
    };
  });
  const over = await store.resolveFinished(
    transaction,
    workspaceId,
    ended.map(({ incident_id }) => incident_id),
  );
  for (const { incident_id, title } of over) {
    events.push({
      incidentId: incident_id,
      kind: "resolved",
      message: "All of its alerts have ended.",
    });
    await audit(transaction, workspaceId, "incident.resolved", incident_id, title);
  }
  await addEvents(transaction, workspaceId, events);
  await tellEnded(
    transaction,
    workspaceId,
    ended.map(({ alert_id }) => alert_id),
  );
}

const idsOf = (alerts: readonly AlertRow[]) => alerts.map(({ alert_id }) => alert_id);

const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

/** What an alert says, on one line. */
function titleOf(alert: AlertRow): string {
  const text = alert.summary.replace(/[\s\p{Cc}]+/gu, " ").trim();
  const name = alert.system_kind?.replaceAll("_", " ") ?? "An alert";
  return cutText(text || name, 300);
}

const audit = (
  transaction: Database,
  workspaceId: string,
  action: string,
  incidentId: string,
  name: string,
) =>
  recordChange(transaction, workspaceId, undefined, byServer, {
    action,
    target: { id: incidentId, name },
  });
