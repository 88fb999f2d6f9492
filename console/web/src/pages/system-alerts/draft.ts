import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Duration, durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { Severity } from "../../../../../gen/lumetry/v1/severity_pb.js";
import type {
  SystemAlertKind,
  SystemAlertSettings,
  UpdateSystemAlertKindRequestSchema,
} from "../../../../../gen/lumetry/v1/system_alert_service_pb.js";
import { countText } from "../../words/counts.ts";
import { spanMs, type TypedSpan, typedSpan } from "../../words/spans.ts";

/** How a kind is watched, as it is typed. The threshold keeps the form that its kind has. */
export interface KindDraft {
  enabled: boolean;
  severity: Severity;
  form: Threshold["case"];
  /** Heartbeats or percent. */
  count: string;
  span: TypedSpan;
  holdDown: TypedSpan;
  recovery: TypedSpan;
}

export type Threshold = SystemAlertSettings["threshold"];
type Change = MessageInitShape<typeof UpdateSystemAlertKindRequestSchema>;

/** What the contract takes. */
const COUNTS = { heartbeats: [2, 1_000], percent: [1, 100] } as const;
const SPAN = [1_000, 365 * 86_400_000] as const;
const LENGTH = [0, 86_400_000] as const;

const typed = (span: Duration | undefined) => typedSpan(span ? durationMs(span) : 0);

export function draftOf(settings: SystemAlertSettings): KindDraft {
  const { enabled, severity, threshold } = settings;
  return {
    enabled,
    severity: severity || Severity.WARNING,
    form: threshold.case,
    count:
      threshold.case === "heartbeats" || threshold.case === "percent"
        ? String(threshold.value)
        : "",
    span: typed(threshold.case === "span" ? threshold.value : undefined),
    holdDown: typed(settings.holdDown),
    recovery: typed(settings.recovery),
  };
}

const isWithin = (value: number, [least, most]: readonly [number, number]) =>
  value >= least && value <= most;

/** What to write instead, for each field that the contract would refuse. */
export function mistakesOf(draft: KindDraft): {
  threshold?: string;
  holdDown?: string;
  recovery?: string;
} {
  const { form, count, span, holdDown, recovery } = draft;
  const wrong: ReturnType<typeof mistakesOf> = {};
  if (form === "span" && !isWithin(spanMs(span), SPAN)) {
    wrong.threshold = "Write a span from 1 second to 365 days.";
  }
  if (form === "heartbeats" || form === "percent") {
    const [least, most] = COUNTS[form];
    if (!/^\d+$/.test(count.trim()) || !isWithin(Number(count), COUNTS[form])) {
      wrong.threshold = `Write a whole number from ${least} to ${countText(most)}.`;
    }
  }
  const length = "Write a span of up to 24 hours; 0 is at once.";
  if (!isWithin(spanMs(holdDown), LENGTH)) wrong.holdDown = length;
  if (!isWithin(spanMs(recovery), LENGTH)) wrong.recovery = length;
  return wrong;
}

/** What the threshold says, whichever its form. */
const thresholdOf = ({ form, count, span }: KindDraft) =>
  form === "span" ? spanMs(span) : form ? Number(count) : undefined;

/** What of a draft is not as it was, and nothing else: what others have changed meanwhile stays. */
export function changeOf(
  kind: SystemAlertKind,
  draft: KindDraft,
  before: KindDraft,
): Change | undefined {
  const { enabled, severity, form } = draft;
  const change: Change = { kind };
  if (enabled !== before.enabled) change.enabled = enabled;
  if (severity !== before.severity) change.severity = severity;
  const threshold = thresholdOf(draft);
  if (form !== undefined && threshold !== undefined && threshold !== thresholdOf(before)) {
    change.threshold =
      form === "span"
        ? { case: form, value: durationFromMs(threshold) }
        : { case: form, value: threshold };
  }
  for (const name of ["holdDown", "recovery"] as const) {
    const ms = spanMs(draft[name]);
    if (ms !== spanMs(before[name])) change[name] = durationFromMs(ms);
  }
  return Object.keys(change).length > 1 ? change : undefined;
}

/** Whether two say the same. */
export const isSame = (kind: SystemAlertKind, a: KindDraft, b: KindDraft) =>
  changeOf(kind, a, b) === undefined;

/** A draft that was begun before somebody else's change: what was typed stays, the rest is as it is now. */
export function rebased(draft: KindDraft, before: KindDraft, now: KindDraft): KindDraft {
  const isMine = (name: "holdDown" | "recovery") => spanMs(draft[name]) !== spanMs(before[name]);
  const { count, span } = thresholdOf(draft) !== thresholdOf(before) ? draft : now;
  return {
    enabled: draft.enabled !== before.enabled ? draft.enabled : now.enabled,
    severity: draft.severity !== before.severity ? draft.severity : now.severity,
    form: now.form,
    count,
    span,
    holdDown: (isMine("holdDown") ? draft : now).holdDown,
    recovery: (isMine("recovery") ? draft : now).recovery,
  };
}
