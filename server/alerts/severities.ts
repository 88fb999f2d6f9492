import { Severity } from "../../gen/lumetry/v1/severity_pb.js";
import type { Severity as Name } from "./table.ts";

export const SEVERITIES: Record<Name, Severity> = {
  info: Severity.INFO,
  warning: Severity.WARNING,
  critical: Severity.CRITICAL,
};

/** Undefined for the unspecified one. */
export const severityName = (severity: Severity): Name | undefined =>
  (Object.keys(SEVERITIES) as Name[]).find((name) => SEVERITIES[name] === severity);

export const isWorse = (one: Name, than: Name): boolean => SEVERITIES[one] > SEVERITIES[than];

/** The highest of some; info when there are none. */
export const worst = (severities: readonly Name[]): Name =>
  severities.reduce<Name>((so, one) => (isWorse(one, so) ? one : so), "info");
