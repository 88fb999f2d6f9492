import { indexKey } from "../../lib/index-key.ts";
import type { AlertRow } from "../alerts/store.ts";

/** So long after an alert has joined an incident, related ones join it as well. */
export const GATHER_MS = 600_000;
/** So long after an incident was resolved, it is opened again by what was in it. */
export const REOPEN_MS = 600_000;

/** Something that alerts of one cause have in common. */
export interface Tie {
  /** As it is stored. */
  key: string;
  /** "it is about the same host, web-1". */
  because: string;
  /** The very alert that was in the incident before: it needs no other reason, and opens it again. */
  isSame: boolean;
}

/** The closest first: where several incidents come into question, the closest tie decides. */
const LABELS = [
  ["host", "host"],
  ["agent", "agent"],
  ["collector", "collector"],
  ["cluster", "cluster"],
] as const;

/** What an alert may be gathered by, the closest tie first. */
export function tiesOf(alert: AlertRow): Tie[] {
  const source = alert.rule_id ?? alert.system_kind ?? "";
  const tie = (kind: string, name: string, because: string): Tie => ({
    key: indexKey(JSON.stringify([kind, name])),
    because,
    isSame: false,
  });
  const same: Tie = {
    key: indexKey(JSON.stringify(["same", alert.origin, source, alert.group_key])),
    because: "it was part of this incident before",
    isSame: true,
  };
  // An alert that names no host may still be about one that others name.
  const edge = alert.subject_edge_id
    ? [tie("edge", alert.subject_edge_id, "it is about the same machine")]
    : [];
  // Names are unique within a zone at most.
  const zone = alert.labels.zone ?? "";
  const labels = LABELS.flatMap(([kind, label]) => {
    const name = alert.labels[label];
    return name ? [tie(kind, `${zone}/${name}`, `it is about the same ${kind}, ${name}`)] : [];
  });
  const rule =
    alert.origin === "rule"
      ? tie("rule", source, "it comes from the same rule")
      : tie("kind", source, "it is of the same kind");
  return [same, ...edge, ...labels, rule];
}
