import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  RuleSettings_Direction as Direction,
  type RuleSettingsSchema,
} from "../../gen/lumetry/v1/rule_pb.js";
import { Severity } from "../../gen/lumetry/v1/severity_pb.js";

export type Settings = MessageInitShape<typeof RuleSettingsSchema>;

/** A rule of its metric's name: a warning for whatever is above 90, at once, unless told otherwise. */
export const aboveBound = (metric: string, settings: Partial<Settings> = {}): Settings =>
  ({
    displayName: metric,
    metric,
    severity: Severity.WARNING,
    condition: { case: "threshold", value: { direction: Direction.ABOVE, value: 90 } },
    ...settings,
  }) as Settings;
