import { LabelMatcher_Operation as Operation } from "../../../../gen/lumetry/v1/metric_query_service_pb.js";

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

/** Set by the server on all that a collector or an agent has written. */
export const COLLECTOR_LABEL = "lumetry.collector_id";
export const AGENT_LABEL = "lumetry.agent_id";

/** The same with whoever wrote it by name, where that is known. */
export function withNames(labels: Labels, nameOf: (id: string) => string): Labels {
  const { [COLLECTOR_LABEL]: collector, [AGENT_LABEL]: agent, ...others } = labels;
  return {
    ...(collector !== undefined && { collector: nameOf(collector) }),
    ...(agent !== undefined && { agent: nameOf(agent) }),
    ...others,
  };
}

/** A condition on a label. */
export interface Matcher {
  label: string;
  operation: Operation;
  value: string;
  values: string[];
}

export const equal = (label: string, value: string): Matcher => ({
  label,
  operation: Operation.EQUAL,
  value,
  values: [],
});

const SIGNS: Record<string, Operation> = {
  "=": Operation.EQUAL,
  "!=": Operation.NOT_EQUAL,
  "=~": Operation.MATCHES,
  "!~": Operation.NOT_MATCHES,
};

/** Reads "label=value", "!=", "=~", "!~", "label in (a, b)" or "label not in (a, b)". */
export function readMatcher(text: string): Matcher | undefined {
  const list = /^\s*([A-Za-z_][\w.:]*)\s+(not\s+)?in\s*\((.*)\)\s*$/s.exec(text);
  if (list) {
    const [, label = "", not, values = ""] = list;
    const operation = not === undefined ? Operation.IN : Operation.NOT_IN;
    return { label, operation, value: "", values: values.split(",").map((value) => value.trim()) };
  }
  const match = /^([A-Za-z_][\w.:]*)(=~|!~|!=|=)(.*)$/s.exec(text.trimStart());
  if (!match) return undefined;
  const [, label = "", sign = "", value = ""] = match;
  return { label, operation: SIGNS[sign] as Operation, value, values: [] };
}

/** As it is read again. */
export function matcherText({ label, operation, value, values }: Matcher): string {
  if (operation === Operation.IN) return `${label} in (${values.join(", ")})`;
  if (operation === Operation.NOT_IN) return `${label} not in (${values.join(", ")})`;
  const [sign = "="] = Object.entries(SIGNS).find(([, each]) => each === operation) ?? [];
  return `${label}${sign}${value}`;
}
