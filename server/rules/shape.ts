import { fromJson, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type RuleSchema,
  type RuleSettings,
  RuleSettingsSchema,
} from "../../gen/lumetry/v1/rule_pb.js";
import type { RuleRow, ShownRule } from "./store.ts";
import { readStored } from "./stored.ts";

export const documentOf = (settings: RuleSettings) => toJson(RuleSettingsSchema, settings);

export const settingsOf = ({ document }: Pick<RuleRow, "document">): RuleSettings =>
  fromJson(RuleSettingsSchema, document, { ignoreUnknownFields: true });

/** What a row says, in the contract's terms. */
export function toRule(row: ShownRule): MessageInitShape<typeof RuleSchema> {
  return {
    ruleId: row.rule_id,
    settings: settingsOf(row),
    revision: row.revision,
    createTime: timestampFromDate(row.created_at),
    updateTime: timestampFromDate(row.updated_at),
    pendingAlerts: row.pending_alerts,
    firingAlerts: row.firing_alerts,
    notEvaluated: readStored(row).problem,
  };
}
