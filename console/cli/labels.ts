import { InvalidArgumentError } from "commander";
import { LabelMatcher_Operation as Operation } from "../../gen/lumetry/v1/metric_query_service_pb.js";

export interface Matcher {
  label: string;
  operation: Operation;
  value: string;
  values: string[];
}

const SIGNS: Record<string, Operation> = {
  "=": Operation.EQUAL,
  "!=": Operation.NOT_EQUAL,
  "=~": Operation.MATCHES,
  "!~": Operation.NOT_MATCHES,
};

/** A condition as people write it. */
export function matcherText({ label, operation, value, values }: Matcher): string {
  if (operation === Operation.IN) return `${label} in (${values.join(", ")})`;
  if (operation === Operation.NOT_IN) return `${label} not in (${values.join(", ")})`;
  const sign = Object.keys(SIGNS).find((key) => SIGNS[key] === operation) ?? "?";
  return `${label}${sign}${value}`;
}

/** How conditions on labels are written. */
export const CONDITIONS =
  'label=value, label!=value, label=~regex, label!~regex, "label in (a, b)" or "label not in (a, b)"';

/** Reads a condition on a label and adds it to those before, for commander. */
export function readMatcher(text: string, before: Matcher[] = []): Matcher[] {
  const list = /^\s*([A-Za-z_][\w.:]*)\s+(not\s+)?in\s*\((.*)\)\s*$/s.exec(text);
  if (list) {
    const [, label = "", not, values = ""] = list;
    const operation = not === undefined ? Operation.IN : Operation.NOT_IN;
    return [
      ...before,
      { label, operation, value: "", values: values.split(",").map((value) => value.trim()) },
    ];
  }
  const match = /^([A-Za-z_][\w.:]*)(=~|!~|!=|=)(.*)$/s.exec(text);
  if (!match) throw new InvalidArgumentError(`Write ${CONDITIONS}.`);
  const [, label = "", sign = "", value = ""] = match;
  return [...before, { label, operation: SIGNS[sign] as Operation, value, values: [] }];
}

/** Reads "label=value" and adds it to those before, for commander. */
export function readLabel(
  text: string,
  before: Record<string, string> = {},
): Record<string, string> {
  const match = /^([A-Za-z_][A-Za-z0-9_.]*)=(.*)$/s.exec(text);
  if (!match) throw new InvalidArgumentError("Write label=value.");
  return { ...before, [match[1] ?? ""]: match[2] ?? "" };
}

type Labels = Record<string, string>;

export const labelsText = (labels: Labels) =>
  Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([label, value]) => `${label}=${value}`)
    .join(" ");

/** What all sets have in common, and for each the text of what sets it apart. */
export function splitLabels(sets: Labels[]): { common: Labels; names: string[] } {
  const [first = {}] = sets;
  const common = Object.fromEntries(
    Object.entries(first).filter(([label, value]) => sets.every((set) => set[label] === value)),
  );
  const names = sets.map((set) =>
    labelsText(Object.fromEntries(Object.entries(set).filter(([label]) => !(label in common)))),
  );
  return { common, names };
}
