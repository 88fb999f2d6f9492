import { fromJson } from "@bufbuild/protobuf";
import { type RuleSettings, RuleSettingsSchema } from "../../gen/lumetry/v1/rule_pb.js";
import { type CompiledRule, compileRule } from "./compile.ts";
import { InvalidRule } from "./invalid.ts";
import type { RuleRow } from "./store.ts";

/** A rule as it is evaluated, or why this version cannot do that: a newer one may have written it. */
export type Stored = { rule: CompiledRule; problem: "" } | { rule: undefined; problem: string };

export function readStored({
  rule_id,
  document,
  judged_since,
}: Pick<RuleRow, "rule_id" | "document" | "judged_since">): Stored {
  let settings: RuleSettings;
  try {
    // What is not known here may be what the rule turns on: it is not evaluated without it.
    settings = fromJson(RuleSettingsSchema, document);
  } catch (error) {
    return { rule: undefined, problem: (error as Error).message };
  }
  try {
    return { rule: compileRule(rule_id, settings, judged_since.getTime()), problem: "" };
  } catch (error) {
    if (!(error instanceof InvalidRule)) throw error;
    return { rule: undefined, problem: error.message };
  }
}
