import { cutText } from "../../lib/text.ts";
import { InvalidRule } from "./invalid.ts";

/** What an alert's message may tell. */
export interface Told {
  value: number | undefined;
  threshold: number | undefined;
  labels: Readonly<Record<string, string>>;
  metric: string;
  rule: string;
}

/** A message with places to fill in. */
export type Message = (told: Told) => string;

const PLACE = /\{\{(.*?)\}\}/gs;
const LABEL = /^\$labels\.([A-Za-z_:.][A-Za-z0-9_:.]*)$/;
const LONGEST = 4_096;

/** Reads a template such as "{{ $labels.host }} is at {{ $value }}"; throws InvalidRule for other places. */
export function readMessage(template: string): Message {
  const parts: Message[] = [];
  let end = 0;
  for (const found of template.matchAll(PLACE)) {
    const before = template.slice(end, found.index);
    parts.push(() => before);
    parts.push(readPlace((found[1] ?? "").trim(), found[0]));
    end = found.index + found[0].length;
  }
  const rest = template.slice(end);
  if (rest.includes("{{")) throw new InvalidRule('message: "{{" is not closed by "}}"');
  parts.push(() => rest);
  return (told) => cut(parts.map((part) => part(told)).join(""));
}

function readPlace(name: string, whole: string): Message {
  const label = LABEL.exec(name)?.[1];
  if (label !== undefined) return ({ labels }) => labels[label] ?? "";
  switch (name) {
    case "$value":
      return ({ value }) => spellNumber(value);
    case "$threshold":
      return ({ threshold }) => spellNumber(threshold);
    case "$metric":
      return ({ metric }) => metric;
    case "$rule":
      return ({ rule }) => rule;
    default:
      throw new InvalidRule(
        `message: ${JSON.stringify(whole.slice(0, 60))} says nothing; write {{ $value }}, {{ $threshold }}, {{ $labels.NAME }}, {{ $metric }} or {{ $rule }}`,
      );
  }
}

/** A number as a person reads it: six digits that count. */
export function spellNumber(value: number | undefined): string {
  return value === undefined ? "nothing" : String(Number(value.toPrecision(6)));
}

const cut = (text: string) => (text.length > LONGEST ? `${cutText(text, LONGEST - 1)}…` : text);
