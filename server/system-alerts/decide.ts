import { isDeepStrictEqual } from "node:util";
import type { AlertKey, AlertRow } from "../alerts/store.ts";
import type { AlertChange, AlertDetails } from "../alerts/transitions.ts";
import type { Finding } from "./findings.ts";
import { KINDS, kindName, kindOfName } from "./kinds.ts";
import type { WorkspaceSettings } from "./settings.ts";

/** An open system alert. */
export interface OpenAlert {
  row: AlertRow;
  /** Since when all is well, if it is. */
  clearSinceMs: number | undefined;
}

export interface Decision {
  changes: AlertChange[];
  /** Alerts of which all is well from now on, and those of which it is not any more. */
  clear: string[];
  unclear: string[];
}

/**
 * What becomes of a workspace's system alerts, given what is amiss. An alert begins when something is
 * amiss, fires when that has lasted for the hold-down, and resolves when all was well for the recovery.
 */
export function decide(given: {
  findings: readonly Finding[];
  open: readonly OpenAlert[];
  /** What open alerts are about and is no more, with words for it. */
  gone: ReadonlyMap<string, string>;
  settings: WorkspaceSettings;
  nowMs: number;
  /** The watching has just begun, or begun again: silence means nothing yet. */
  isSettling: boolean;
}): Decision {
  const decision: Decision = { changes: [], clear: [], unclear: [] };
  const open = new Map(given.open.map((alert) => [textOf(alert.row.system_kind, alert), alert]));
  for (const finding of given.findings) {
    const key = `${kindName(finding.kind)} ${finding.subject}`;
    judgeFinding(finding, open.get(key), given, decision);
    open.delete(key);
  }
  for (const alert of open.values()) judgeWell(alert, given, decision);
  return decision;
}

const textOf = (kind: string | null, { row }: OpenAlert) => `${kind} ${row.group_key}`;

type Given = Parameters<typeof decide>[0];

function judgeFinding(
  finding: Finding,
  alert: OpenAlert | undefined,
  { settings, nowMs, isSettling }: Given,
  { changes, unclear }: Decision,
): void {
  const { kind, degree } = finding;
  const key: AlertKey = { origin: "system", source: kindName(kind), groupKey: finding.subject };
  const isSilence = KINDS[kind].isSilence === true;
  const { holdDownMs, severity } = settings[kind];
  const details: AlertDetails = {
    severity,
    summary: finding.summary,
    labels: finding.labels,
    subjectEdgeId: finding.edgeId ?? null,
    value: finding.value ?? null,
    evidence: finding.evidence ?? {},
  };
  if (alert?.row.state === "firing") {
    if (alert.clearSinceMs !== undefined) unclear.push(alert.row.alert_id);
    if (finding.follows && !isDeepStrictEqual(alert.row.evidence, details.evidence)) {
      const { summary, evidence = {} } = details;
      changes.push({ kind: "update", key, details: { summary, evidence } });
    }
    if (alert.row.severity !== severity) {
      changes.push({ kind: "update", key, details: { severity } });
    }
    return;
  }
  if (degree === "near") {
    if (alert) changes.push({ kind: "forget", key });
    return;
  }
  if (isSilence && isSettling) return;
  if (!alert) changes.push({ kind: "begin", key, atMs: nowMs, details });
  const sinceMs = finding.amissSinceMs ?? alert?.row.started_at.getTime() ?? nowMs;
  if (degree === "amiss" && nowMs - sinceMs >= holdDownMs) {
    // What an outage on the way may explain is not told before that is known.
    const mayBeExplained = isSilence && !KINDS[kind].isCause;
    changes.push({ kind: "fire", key, atMs: nowMs, details, isSilence: mayBeExplained });
  }
}

function judgeWell(
  { row, clearSinceMs }: OpenAlert,
  { gone, settings, nowMs }: Given,
  { changes, clear }: Decision,
): void {
  const kind = kindOfName(row.system_kind ?? "");
  const key: AlertKey = {
    origin: "system",
    source: row.system_kind ?? "",
    groupKey: row.group_key,
  };
  const end = (reason: string) => changes.push({ kind: "resolve", key, atMs: nowMs, reason });
  // A server of another release looks after it.
  if (kind === undefined) return;
  if (!settings[kind].enabled) return void end("It is not watched any more.");
  const why = gone.get(row.group_key);
  if (why !== undefined) return void end(why);
  // Nobody has to be spared the news of what nobody was told.
  const isUntold = row.told_at === null;
  if (isUntold || nowMs - (clearSinceMs ?? nowMs) >= settings[kind].recoveryMs) {
    end(KINDS[kind].recovered);
  } else if (clearSinceMs === undefined) clear.push(row.alert_id);
}
