import { isDeepStrictEqual } from "node:util";
import { makeId } from "../../lib/ids.ts";
import type { Database } from "../db/database.ts";
import { type Firing, gatherIncidents } from "../incidents/gather.ts";
import { findSuppressions } from "../system-alerts/suppression.ts";
import { isWorse } from "./severities.ts";
import * as store from "./store.ts";
import type { Evidence, Severity } from "./table.ts";

/** What is said of an alert. */
export interface AlertDetails {
  severity: Severity;
  summary: string;
  labels: Record<string, string>;
  /** The collector or agent that it is about, or that sends the series it is about. */
  subjectEdgeId?: string | null;
  runbookUrl?: string;
  value?: number | null;
  evidence?: Evidence;
}

/**
 * A change to what is said of one key, at a time of the data in ms since 1970. Each does nothing when it is so
 * already, so that whoever is not sure says it again:
 *
 * - `begin`: pending, unless an alert is open;
 * - `fire`: from pending, or at once. `since` is when it began, if it was not pending. `isSilence` says
 *   that it fires because nothing comes from its subject, which an outage on the way may explain;
 * - `update`: of what is open, other details; of what was told, a worse severity is told as well;
 *   `suppressedBy: null` ends a suppression, and what still fires is told then; `heldForMs` holds it until then,
 *   null no longer;
 * - `resolve`: ends what fires; what was pending only is forgotten;
 * - `forget`: what is pending, and nothing else.
 */
export type AlertChange = { key: store.AlertKey } & (
  | { kind: "begin"; atMs: number; details: AlertDetails }
  | {
      kind: "fire";
      atMs: number;
      sinceMs?: number;
      details: AlertDetails;
      reason?: string;
      isSilence?: boolean;
    }
  | {
      kind: "update";
      details?: Partial<AlertDetails>;
      suppressedBy?: string | null;
      heldForMs?: number | null;
    }
  | {
      kind: "resolve";
      /** Now, where no data decided it. */
      atMs?: number;
      reason: string;
      details?: Pick<AlertDetails, "value" | "evidence">;
    }
  | { kind: "forget" }
);

/**
 * The one place where alerts change, in the caller's transaction. Whoever is to be told is told in it as
 * well. Changes of one key are made in their order. Answers the alerts that changed, as they are then,
 * without those that are gone.
 */
export async function recordTransitions(
  transaction: Database,
  workspaceId: string,
  changes: readonly AlertChange[],
): Promise<store.AlertRow[]> {
  if (changes.length === 0) return [];
  const keys = new Map(changes.map(({ key }) => [textOf(key), key]));
  const open = await store.lockOpenAlerts(transaction, workspaceId, [...keys.values()]);
  const now = await store.readClock(transaction);
  const silent = changes.flatMap((change) =>
    change.kind === "fire" && change.isSilence && change.details.subjectEdgeId
      ? [change.details.subjectEdgeId]
      : [],
  );
  const suppressions =
    silent.length > 0
      ? await findSuppressions(transaction, workspaceId, [...new Set(silent)])
      : new Map();
  const book = new Map(open.map((row) => [textOf(store.keyOfAlert(row)), { ...row }]));
  const before = new Map(open.map((row) => [row.alert_id, row]));
  const touched = new Map<string, store.AlertRow>();
  const forgotten = new Set<string>();
  const transitions: store.NewTransition[] = [];
  const firings: Firing[] = [];

  const begin = (key: store.AlertKey, sinceMs: number, details: AlertDetails) => {
    const row = newAlert(workspaceId, key, sinceMs, details, now);
    book.set(textOf(key), row);
    return row;
  };
  const note = (
    row: store.AlertRow,
    from: store.NewTransition["from_state"],
    atMs: number,
    reason: string,
  ) => {
    transitions.push({
      alert_id: row.alert_id,
      from_state: from,
      to_state: row.state,
      data_time: new Date(atMs),
      value: row.value,
      reason,
    });
  };
  const tell = (row: store.AlertRow) => {
    if (row.state !== "firing" || row.told_at || row.suppressed_by) return;
    if (row.held_until && row.held_until > now) return;
    row.held_until = null;
    row.told_at = now;
    firings.push({ change: "started", alert: { ...row } });
  };
  /** What is told just now is told as it is in the end. */
  const tellWorse = (row: store.AlertRow, than: Severity) => {
    if (row.state !== "firing" || !row.told_at || row.told_at === now) return;
    firings.push({ change: "worsened", alert: { ...row }, than });
  };
  const forget = (row: store.AlertRow) => {
    book.delete(textOf(store.keyOfAlert(row)));
    touched.delete(row.alert_id);
    forgotten.add(row.alert_id);
  };

  for (const change of changes) {
    const { key } = change;
    let row = book.get(textOf(key));
    switch (change.kind) {
      case "begin":
        if (row) continue;
        row = begin(key, change.atMs, change.details);
        note(row, "none", change.atMs, "");
        break;
      case "fire": {
        if (row?.state === "firing") continue;
        const from = row ? "pending" : "none";
        row ??= begin(key, change.sinceMs ?? change.atMs, change.details);
        describe(row, change.details);
        row.state = "firing";
        row.fired_at = new Date(change.atMs);
        if (change.isSilence) suppress(row, suppressions, now);
        note(row, from, change.atMs, change.reason ?? "");
        tell(row);
        break;
      }
      case "update":
        if (!row) continue;
        if (change.details) {
          const { severity } = row;
          describe(row, change.details);
          if (isWorse(row.severity, severity)) tellWorse(row, severity);
        }
        if (change.suppressedBy !== undefined) row.suppressed_by = change.suppressedBy;
        if (change.heldForMs !== undefined) row.held_until = after(now, change.heldForMs);
        tell(row);
        break;
      case "resolve":
        if (!row) continue;
        if (row.state === "pending") {
          forget(row);
          continue;
        }
        if (change.details) describe(row, change.details);
        row.state = "resolved";
        row.resolved_at = change.atMs === undefined ? now : new Date(change.atMs);
        row.resolve_reason = change.reason;
        row.held_until = null;
        note(row, "firing", +row.resolved_at, change.reason);
        if (row.told_at) firings.push({ change: "stopped", alert: { ...row } });
        book.delete(textOf(key));
        break;
      case "forget":
        if (row?.state === "pending") forget(row);
        continue;
    }
    touched.set(row.alert_id, row);
  }

  const changed = [...touched.values()].filter(
    (row) => !isDeepStrictEqual(row, before.get(row.alert_id)),
  );
  for (const row of changed) row.updated_at = now;
  await store.deleteAlerts(transaction, workspaceId, [...forgotten]);
  // What ended comes first: only then is there room for the next alert of the same key.
  await store.updateAlerts(
    transaction,
    changed.filter(({ alert_id }) => before.has(alert_id)),
  );
  await store.insertAlerts(
    transaction,
    changed.filter(({ alert_id }) => !before.has(alert_id)),
  );
  await store.insertTransitions(
    transaction,
    workspaceId,
    transitions.filter(({ alert_id }) => !forgotten.has(alert_id)),
  );
  if (firings.length > 0) await gatherIncidents(transaction, workspaceId, firings);
  return changed;
}

/** Tells of what was held and is not explained by anything: to be called every few seconds. */
export async function releaseHeld(transaction: Database, workspaceId: string): Promise<void> {
  const due = await store.lockReleasable(transaction, workspaceId);
  await recordTransitions(
    transaction,
    workspaceId,
    due.map((row) => ({ kind: "update", key: store.keyOfAlert(row), heldForMs: null })),
  );
}

const textOf = ({ origin, source, groupKey }: store.AlertKey) =>
  `${origin}\0${source}\0${groupKey}`;

const after = (now: Date, ms: number | null) => (ms === null ? null : new Date(+now + ms));

function suppress(
  row: store.AlertRow,
  suppressions: Awaited<ReturnType<typeof findSuppressions>>,
  now: Date,
): void {
  const found = suppressions.get(row.subject_edge_id ?? "");
  if (found?.suppressedBy) row.suppressed_by = found.suppressedBy;
  if (found?.holdMs) row.held_until = after(now, found.holdMs);
}

/** Takes over what is given and leaves the rest. */
function describe(row: store.AlertRow, details: Partial<AlertDetails>): void {
  if (details.severity !== undefined) row.severity = details.severity;
  if (details.summary !== undefined) row.summary = details.summary;
  if (details.labels !== undefined) row.labels = details.labels;
  if (details.subjectEdgeId !== undefined) row.subject_edge_id = details.subjectEdgeId;
  if (details.runbookUrl !== undefined) row.runbook_url = details.runbookUrl;
  if (details.value !== undefined) row.value = details.value;
  if (details.evidence !== undefined) row.evidence = details.evidence;
}

function newAlert(
  workspaceId: string,
  { origin, source, groupKey }: store.AlertKey,
  sinceMs: number,
  details: AlertDetails,
  now: Date,
): store.AlertRow {
  const row: store.AlertRow = {
    workspace_id: workspaceId,
    alert_id: makeId("alr"),
    origin,
    rule_id: origin === "rule" ? source : null,
    system_kind: origin === "system" ? source : null,
    group_key: groupKey,
    labels: {},
    subject_edge_id: null,
    severity: details.severity,
    state: "pending",
    summary: "",
    runbook_url: "",
    value: null,
    evidence: {},
    started_at: new Date(sinceMs),
    fired_at: null,
    resolved_at: null,
    resolve_reason: "",
    suppressed_by: null,
    held_until: null,
    told_at: null,
    created_at: now,
    updated_at: now,
  };
  describe(row, details);
  return row;
}
