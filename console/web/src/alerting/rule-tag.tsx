import type { Rule } from "../../../../gen/lumetry/v1/rule_pb.js";
import { Tag } from "../ui/notice.tsx";
import { countText } from "../words/counts.ts";

/** How many of its alerts are open. */
export function RuleTag({ rule }: { rule: Rule }) {
  const { settings, firingAlerts, pendingAlerts } = rule;
  if (settings?.disabled) return <Tag>off</Tag>;
  if (rule.notEvaluated !== "") return <Tag tone="warn">not evaluated</Tag>;
  if (firingAlerts > 0n) return <Tag tone="bad">{countText(firingAlerts)} firing</Tag>;
  if (pendingAlerts > 0n) return <Tag tone="warn">{countText(pendingAlerts)} pending</Tag>;
  return <Tag tone="good">all well</Tag>;
}
