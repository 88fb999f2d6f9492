import { clearField, clone, equals } from "@bufbuild/protobuf";
import {
  RuleSettings_RateOfChangeSchema as RateOfChangeSchema,
  type RuleSettings,
  RuleSettingsSchema,
  RuleSettings_ThresholdSchema as ThresholdSchema,
} from "../../gen/lumetry/v1/rule_pb.js";
import { makeBreath } from "../../lib/breath.ts";
import type { Database } from "../db/database.ts";
import type { CompiledRule } from "./compile.ts";
import { labelsOfGroup, textOfLabels } from "./groups.ts";
import { findKeptSeries } from "./state-store.ts";

/**
 * What stays of where a rule stands when its settings change: all of it; or the alerts that fire and whose group is
 * still there, which are judged by the new settings when its next point comes; or nothing. What does not stay
 * ends for the reason.
 */
export type Staying = { kind: "all" } | { kind: "firing" | "nothing"; reason: string };

export function whatStays(before: RuleSettings, after: RuleSettings): Staying {
  const nothing = (reason: string): Staying => ({ kind: "nothing", reason });
  if (after.disabled !== before.disabled) {
    return nothing(after.disabled ? "the rule was disabled" : "the rule was changed");
  }
  if (after.metric !== before.metric) {
    return nothing(
      `the rule was changed: it looks at ${after.metric}, no longer at ${before.metric}`,
    );
  }
  if (after.condition.case !== before.condition.case) {
    return nothing("the rule was changed: it has another kind of condition");
  }
  if (equals(RuleSettingsSchema, judged(before), judged(after))) return { kind: "all" };
  return { kind: "firing", reason: "the rule was changed: this is no group of it any more" };
}

/** What says whether the time in which a condition has held goes on counting. */
function judged(settings: RuleSettings): RuleSettings {
  const rest = clone(RuleSettingsSchema, settings);
  const { field } = RuleSettingsSchema;
  for (const said of [field.displayName, field.message, field.severity, field.runbookUrl]) {
    clearField(rest, said);
  }
  // None of these ends what has begun: the next value is judged by them.
  for (const applied of [field.labels, field.mutingWindows, field.for]) clearField(rest, applied);
  const { condition } = rest;
  if (condition.case === "threshold") {
    clearField(condition.value, ThresholdSchema.field.recoveryValue);
  } else if (condition.case === "rateOfChange") {
    clearField(condition.value, RateOfChangeSchema.field.recoveryPerSecond);
  }
  return rest;
}

/** The groups that evaluation of a rule begins with: of the series whose last points are kept. */
export async function groupsAtHand(
  db: Database,
  workspaceId: string,
  rule: CompiledRule,
): Promise<Set<string>> {
  const breathe = makeBreath();
  const groups = new Set<string>();
  for (const labels of await findKeptSeries(db, workspaceId, rule.settings.metric)) {
    if (rule.selects(labels)) groups.add(textOfLabels(labelsOfGroup(rule.grouping, labels)));
    await breathe();
  }
  return groups;
}
