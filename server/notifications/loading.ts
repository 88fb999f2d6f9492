import { sql } from "kysely";
import { isWorse } from "../alerts/severities.ts";
import type { Severity } from "../alerts/table.ts";
import type { Database } from "../db/database.ts";
import type { IncidentState } from "../incidents/table.ts";
import { type Subject, type SubjectRow, subjectColumns, toSubject } from "./subjects.ts";

/** Alerts that are told together, as they are judged. */
export interface Group {
  groupId: string;
  routeName: string;
  labels: Record<string, string>;
  /** Those that are still there, with their names. */
  channels: { channelId: string; name: string }[];
  intervalMs: number;
  repeatMs: number;
  transition: number;
  toldAt: Date | null;
  notBefore: Date;
  toldSeverity: Severity | null;
  members: Member[];
}

export interface Member {
  subject: Subject;
  incidentId: string;
  incidentNumber: number;
  incidentTitle: string;
  incidentState: IncidentState;
  fires: boolean;
  told: "nothing" | "firing" | "resolved";
  /** What receivers take its severity for, where it has become worse since it was told. */
  believedSeverity: Severity | null;
  silenceId: string | null;
  summary: string;
  value: number | null;
  runbookUrl: string;
  firedAt: Date;
  resolvedAt: Date | null;
}

/** Whether it fires and receivers do not know that, or not how severe it is. */
export const isNews = ({ fires, told, believedSeverity, subject }: Member): boolean =>
  fires &&
  (told !== "firing" || (believedSeverity !== null && isWorse(subject.severity, believedSeverity)));

/** Open groups with those of their members that may still have to be told. */
export async function loadGroups(
  transaction: Database,
  workspaceId: string,
  groupIds: readonly string[],
): Promise<Group[]> {
  const { rows: groups } = await sql<{
    group_id: string;
    route_name: string;
    group_labels: Record<string, string>;
    channels: { channelId: string; name: string }[];
    interval_ms: number;
    repeat_ms: number;
    transition: number;
    told_at: Date | null;
    not_before: Date;
    told_severity: Severity | null;
  }>`
    select group_id, route_name, group_labels, interval_ms::float8, repeat_ms::float8, transition,
      told_at, not_before, told_severity,
      coalesce((select jsonb_agg(jsonb_build_object('channelId', channel_id, 'name', display_name)
          order by place)
        from unnest(channel_ids) with ordinality as listed (channel_id, place)
          join channels using (channel_id)
        where channels.workspace_id = ${workspaceId}), '[]') as channels
    from notification_groups
    where workspace_id = ${workspaceId} and group_id = any(${groupIds}::text[])
      and closed_at is null
    order by group_id for update
  `.execute(transaction);
  const { rows: members } = await sql<
    SubjectRow & {
      group_id: string;
      incident_id: string;
      number: bigint;
      title: string;
      incident_state: IncidentState;
      fires: boolean;
      told: Member["told"];
      believed_severity: Severity | null;
      silence_id: string | null;
      summary: string;
      value: number | null;
      runbook_url: string;
      fired_at: Date;
      resolved_at: Date | null;
    }
  >`
    select ${subjectColumns}, group_id, incident_id, number, title, incidents.state as incident_state,
      fires, told, believed_severity, silence_id, summary, value, runbook_url,
      coalesce(fired_at, started_at) as fired_at, alerts.resolved_at
    from notification_members as member
      join alerts using (workspace_id, alert_id)
      join incident_alerts using (workspace_id, alert_id)
      join incidents using (workspace_id, incident_id)
    where workspace_id = ${workspaceId}
      and group_id = any(${groups.map(({ group_id }) => group_id)}::text[])
      and (fires or told = 'firing')
    order by number, array_position(array['critical', 'warning', 'info'], alerts.severity), fired_at,
      alert_id
  `.execute(transaction);
  const byGroup = Map.groupBy(members, ({ group_id }) => group_id);
  return groups.map((row) => ({
    groupId: row.group_id,
    routeName: row.route_name,
    labels: row.group_labels,
    channels: row.channels,
    intervalMs: row.interval_ms,
    repeatMs: row.repeat_ms,
    transition: row.transition,
    toldAt: row.told_at,
    notBefore: row.not_before,
    toldSeverity: row.told_severity,
    members: (byGroup.get(row.group_id) ?? []).map((member) => ({
      subject: toSubject(member),
      incidentId: member.incident_id,
      incidentNumber: Number(member.number),
      incidentTitle: member.title,
      incidentState: member.incident_state,
      fires: member.fires,
      told: member.told,
      believedSeverity: member.believed_severity,
      silenceId: member.silence_id,
      summary: member.summary,
      value: member.value,
      runbookUrl: member.runbook_url,
      firedAt: member.fired_at,
      resolvedAt: member.resolved_at,
    })),
  }));
}
