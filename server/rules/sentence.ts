import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  RuleSettings_Direction as Direction,
  type RuleSettings,
} from "../../gen/lumetry/v1/rule_pb.js";
import { type Message, spellNumber } from "./message.ts";

/** What an alert says when its rule has no message: "cpu.usage is 97.2, above 90 (host=web-1)". */
export function sentenceOf(settings: RuleSettings): Message {
  const what = wordsOf(settings);
  return (told) => `${told.metric} ${what(told.value)}${listLabels(told.labels)}`;
}

function wordsOf({ condition }: RuleSettings): (value: number | undefined) => string {
  switch (condition.case) {
    case "absence": {
      const ms = condition.value.duration ? durationMs(condition.value.duration) : 0;
      return () => `has not come for ${spellDuration(ms)}`;
    }
    case "rateOfChange": {
      const { direction, perSecond } = condition.value;
      return (value) =>
        `changes by ${spellNumber(value)} a second, ${sideOf(direction)} ${spellNumber(perSecond)}`;
    }
    default: {
      const { direction = Direction.ABOVE, value: bound } = condition.value ?? {};
      return (value) => `is ${spellNumber(value)}, ${sideOf(direction)} ${spellNumber(bound)}`;
    }
  }
}

export const sideOf = (direction: Direction) => (direction === Direction.BELOW ? "below" : "above");

/** Labels that people have set, as "(host=web-1, disk=sda)". */
function listLabels(labels: Readonly<Record<string, string>>): string {
  const own = Object.entries(labels).filter(([name]) => !name.startsWith("lumetry."));
  return own.length === 0 ? "" : ` (${own.map(([name, value]) => `${name}=${value}`).join(", ")})`;
}

export function spellDuration(ms: number): string {
  for (const [unit, length] of [
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
  ] as const) {
    if (ms > 0 && ms % length === 0) return `${ms / length} ${unit}${ms === length ? "" : "s"}`;
  }
  return `${ms / 1000} seconds`;
}
