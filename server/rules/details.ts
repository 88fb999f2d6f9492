import { Severity as SeverityEnum } from "../../gen/lumetry/v1/severity_pb.js";
import type { Severity } from "../alerts/table.ts";
import type { AlertChange, AlertDetails } from "../alerts/transitions.ts";
import type { Database } from "../db/database.ts";
import type { CompiledRule } from "./compile.ts";
import type { Group, Verdict } from "./evaluator.ts";
import { spellNumber } from "./message.ts";
import { describeEdges, type EdgePlace } from "./store.ts";

const SENDER_LABELS = ["lumetry.agent_id", "lumetry.collector_id"];

/** What evaluation came to, as changes of alerts, with everything that people want to read in them. */
export async function changesOf(
  db: Database,
  workspaceId: string,
  verdicts: readonly Verdict[],
): Promise<AlertChange[]> {
  const senders = new Map(verdicts.map(({ group }) => [group, senderOfGroup(group)]));
  const ids = [...new Set(senders.values())].filter((id) => id !== undefined);
  const edges = ids.length > 0 ? await describeEdges(db, workspaceId, ids) : new Map();
  return verdicts.map((verdict): AlertChange => {
    const { group, step, value, evidence } = verdict;
    const key = {
      origin: "rule",
      source: group.rule.ruleId,
      groupKey: group.key,
    } as const;
    switch (step.kind) {
      case "forget":
        return { kind: "forget", key };
      case "resolve":
        return {
          kind: "resolve",
          key,
          atMs: step.atMs,
          reason: verdict.reason ?? recovery(group.rule, value),
          details: { value: value ?? null, evidence },
        };
      default: {
        const sender = senders.get(group);
        const details: AlertDetails = {
          ...described(group.rule, group.labels, value),
          labels: labelsOfAlert(group, sender === undefined ? undefined : edges.get(sender)),
          subjectEdgeId: sender ?? null,
          value: value ?? null,
          evidence,
        };
        if (step.kind === "begin") return { kind: "begin", key, atMs: step.atMs, details };
        const isSilence = group.rule.condition.kind === "absence";
        return { kind: "fire", key, atMs: step.atMs, sinceMs: step.sinceMs, details, isSilence };
      }
    }
  });
}

const SEVERITIES: Record<SeverityEnum, Severity> = {
  [SeverityEnum.UNSPECIFIED]: "warning",
  [SeverityEnum.INFO]: "info",
  [SeverityEnum.WARNING]: "warning",
  [SeverityEnum.CRITICAL]: "critical",
};

/** What a rule says of a group, whose alert may have begun under other words. */
export function described(
  { settings, message, condition }: CompiledRule,
  labels: Readonly<Record<string, string>>,
  value: number | undefined,
): Pick<AlertDetails, "severity" | "summary" | "runbookUrl"> & { labels: Record<string, string> } {
  const { displayName, severity, runbookUrl, metric } = settings;
  const threshold = condition.kind === "bound" ? condition.bound : undefined;
  return {
    severity: SEVERITIES[severity],
    summary: message({ value, threshold, labels, metric, rule: displayName }),
    runbookUrl,
    labels: { ...labels, ...settings.labels },
  };
}

/** The group's own labels, where its sender is, and what the rule adds. */
function labelsOfAlert(group: Group, edge: EdgePlace | undefined): Record<string, string> {
  return { ...placeLabels(edge), ...group.labels, ...group.rule.settings.labels };
}

function placeLabels(edge: EdgePlace | undefined): Record<string, string> {
  if (!edge) return {};
  return {
    [edge.kind]: edge.name,
    zone: edge.zone,
    ...(edge.kind === "agent" && { host: edge.name }),
    ...(edge.cluster && { cluster: edge.cluster }),
  };
}

/** The one collector or agent that all series of a group come from. */
function senderOfGroup({ members }: Group): string | undefined {
  const found = new Set<string | undefined>();
  for (const { series } of members) {
    const label = SENDER_LABELS.find((name) => series.labels[name] !== undefined);
    found.add(label && series.labels[label]);
    if (found.size > 1) return undefined;
  }
  return [...found][0];
}

function recovery({ condition }: CompiledRule, value: number | undefined): string {
  if (condition.kind === "absence") return "it has come again";
  const side = condition.isAbove ? "above" : "below";
  return `it is ${spellNumber(value)}, no longer ${side} ${spellNumber(condition.recovery)}`;
}
