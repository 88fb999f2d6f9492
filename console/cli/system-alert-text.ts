import { durationMs } from "@bufbuild/protobuf/wkt";
import type {
  SystemAlertSettings,
  WatchedKind,
} from "../../gen/lumetry/v1/system_alert_service_pb.js";
import { setSpanText } from "../../lib/age.ts";
import { counted } from "./words.ts";

/** From where on something is amiss: "3 heartbeats", "30 seconds", "90%"; "" for kinds without a threshold. */
export function thresholdText({ threshold }: SystemAlertSettings): string {
  switch (threshold.case) {
    case "heartbeats":
      return counted(threshold.value, "heartbeat");
    case "percent":
      return `${threshold.value}%`;
    case "span":
      return setSpanText(durationMs(threshold.value));
    default:
      return "";
  }
}

/** A hold-down or a recovery. */
export const lengthText = (span: SystemAlertSettings["holdDown"]) =>
  span && durationMs(span) > 0 ? setSpanText(durationMs(span)) : "at once";

/** What there is of a kind: "2 firing, 1 pending". */
export function nowText({ firing, suppressed, pending }: WatchedKind): string {
  const parts = [
    ...(firing > 0n ? [`${firing} firing`] : []),
    ...(suppressed > 0n ? [`${suppressed} suppressed`] : []),
    ...(pending > 0n ? [`${pending} pending`] : []),
  ];
  return parts.join(", ") || "nothing";
}
