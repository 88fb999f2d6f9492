import type { Severity } from "../alerts/table.ts";

/** What a receiver is told. */
export type Event = TestEvent | AlertsEvent;

export interface TestEvent {
  type: "channel.test";
  data: { channel: string; sentBy: string };
}

/** What has become of a group of alerts that are told together. */
export interface AlertsEvent {
  /**
   * firing: the first that is told of the group. changed: more alerts, or a higher severity. repeated: nothing is new,
   * and nobody has taken it. resolved: all that was told has ended.
   */
  type: "alerts.firing" | "alerts.changed" | "alerts.repeated" | "alerts.resolved";
  data: AlertsData;
}

export interface AlertsData {
  /** One line: what it is about. */
  title: string;
  /** The highest of those that fire; of those that were told, when all have ended. */
  severity: Severity;
  route: string;
  /** `transition` counts what was told of the group, from 1. */
  group: { groupId: string; transition: number; labels: Record<string, string> };
  firing: number;
  resolved: number;
  incidents: ToldIncident[];
  /** Those that fire first; `omitted` are left out. */
  alerts: ToldAlert[];
  omitted: number;
  /** Where people look into it; empty when the deployment's address is not known. */
  url: string;
}

export interface ToldIncident {
  incidentId: string;
  number: number;
  title: string;
  state: string;
  url: string;
}

export interface ToldAlert {
  alertId: string;
  incidentId: string;
  status: "firing" | "resolved";
  /** It was not told before. */
  isNew: boolean;
  /** The name of its rule, or the kind of a system alert. */
  alertName: string;
  ruleId: string;
  severity: Severity;
  summary: string;
  labels: Record<string, string>;
  value: number | null;
  runbookUrl: string;
  firedAt: string;
  resolvedAt: string | null;
}
