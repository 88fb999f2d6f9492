import { type Breath, makeBreath } from "../../lib/breath.ts";
import { makeId } from "../../lib/ids.ts";
import { isWorse, worst } from "../alerts/severities.ts";
import { readClock } from "../alerts/store.ts";
import type { Severity } from "../alerts/table.ts";
import type { AlertsEvent } from "../channels/events.ts";
import { type Dispatch, enqueueDeliveries, findPublicUrl } from "../channels/outbox.ts";
import type { Database } from "../db/database.ts";
import { addEvents, type NewEvent } from "../incidents/timeline.ts";
import { type Hush, loadSilencer, type Silencer } from "../silences/store.ts";
import { makeEvent } from "./event.ts";
import {
  insertNotifications,
  type MemberChange,
  type NewNotification,
  type Standing,
  updateGroups,
  updateMembers,
} from "./groups.ts";
import { type Group, isNews, loadGroups, type Member } from "./loading.ts";

/** What is to be told of a group, if anything is, and what follows. */
export interface Verdict {
  type: AlertsEvent["type"] | undefined;
  /** When somebody has to look again; undefined when only another transition matters. */
  dueAt: Date | undefined;
  isClosed: boolean;
}

type Hushed = (member: Member) => Hush | undefined;

/**
 * Judges a group at a moment:
 *
 * - news, which are alerts that fire and were not told, or as less severe, are told when the group's wait or interval is over, or at
 *   once if they are worse than what was told;
 * - an end is told at once when nothing that was told fires any more, silenced or not: no receiver is left believing
 *   in what is over. Before that, ends are told along with whatever else is;
 * - what a silence keeps back is no news until that ends;
 * - after the repeat interval, what fires and nobody has acknowledged is told again.
 */
export function judge(group: Group, now: Date, hushOf: Hushed): Verdict {
  const { members, toldSeverity, notBefore, toldAt, repeatMs } = group;
  const untold = members.filter(isNews);
  const held = untold.map(hushOf).filter((hush) => hush !== undefined);
  const news = untold.filter((member) => !hushOf(member));
  const believed = members.filter(({ told }) => told === "firing");
  const burning = believed.filter(({ fires }) => fires);
  const isUrgent =
    toldSeverity !== null && news.some(({ subject }) => isWorse(subject.severity, toldSeverity));
  const mayTell = now >= notBefore || isUrgent;
  const repeatAt =
    toldAt && repeatMs > 0 && burning.length > 0 ? new Date(+toldAt + repeatMs) : undefined;
  const isWaited = burning.some(
    (member) => member.incidentState !== "acknowledged" && !hushOf(member),
  );

  let type: Verdict["type"];
  if (news.length > 0 && mayTell) type = believed.length > 0 ? "alerts.changed" : "alerts.firing";
  else if (believed.length > 0 && burning.length === 0 && news.length === 0)
    type = "alerts.resolved";
  else if (repeatAt && now >= repeatAt && isWaited) type = "alerts.repeated";

  const isTold = type !== undefined;
  const dues = [
    ...held.map(({ endsAt }) => endsAt),
    ...(news.length > 0 && !isTold ? [notBefore] : []),
    ...nextRepeat({
      repeatAt,
      repeatMs,
      now,
      isTold,
      fires: burning.length > 0 || news.length > 0,
    }),
  ];
  return {
    type,
    dueAt: dues.reduce<Date | undefined>((so, one) => (!so || one < so ? one : so), undefined),
    isClosed: members.every(({ fires }) => !fires) && (isTold || believed.length === 0),
  };
}

function nextRepeat(at: {
  repeatAt: Date | undefined;
  repeatMs: number;
  now: Date;
  isTold: boolean;
  fires: boolean;
}): Date[] {
  if (at.repeatMs === 0 || !at.fires) return [];
  // Just told, or passed over because somebody looks into it: an interval from now.
  if (at.isTold || (at.repeatAt && at.repeatAt <= at.now)) return [new Date(+at.now + at.repeatMs)];
  return at.repeatAt ? [at.repeatAt] : [];
}

/**
 * Tells what there is to tell of some groups, under the lock of the workspace's incidents: the rows of
 * notifications, the deliveries and what receivers now believe are written in the caller's transaction.
 */
export async function tellGroups(
  transaction: Database,
  workspaceId: string,
  groupIds: readonly string[],
): Promise<void> {
  if (groupIds.length === 0) return;
  const groups = await loadGroups(transaction, workspaceId, groupIds);
  if (groups.length === 0) return;
  const now = await readClock(transaction);
  const silencer = await loadSilencer(transaction, workspaceId);
  const publicUrl = await findPublicUrl(transaction);
  const standings: Standing[] = [];
  const changes: MemberChange[] = [];
  const notifications: NewNotification[] = [];
  const dispatches: Dispatch[] = [];
  const events: NewEvent[] = [];

  const breathe = makeBreath();
  for (const group of groups) {
    const hushOf = await hushing(silencer, group, breathe);
    const verdict = judge(group, now, hushOf);
    const { type } = verdict;
    const transition = group.transition + (type ? 1 : 0);
    const told = group.members.filter((member) => isToldNow(member, type, hushOf));
    if (type) {
      const event = makeEvent(group, { type, transition, told, publicUrl, now });
      for (const { channelId, name } of group.channels) {
        const deliveryId = makeId("dlv");
        const notification = { groupId: group.groupId, transition, channelId };
        notifications.push({ ...notification, deliveryId, eventType: type });
        dispatches.push({ channelId, deliveryId, event });
        events.push(...notified(event, told, { channelId, deliveryId, name }));
      }
    }
    const spokenOf = new Set(told);
    const believed: Severity[] = [];
    for (const member of group.members) {
      const hush = hushOf(member);
      const silenceId = (member.fires && hush?.silenceId) || null;
      const next = spokenOf.has(member) ? (member.fires ? "firing" : "resolved") : member.told;
      const believedSeverity = spokenOf.has(member) ? null : member.believedSeverity;
      if (next === "firing") believed.push(believedSeverity ?? member.subject.severity);
      if (
        next === member.told &&
        silenceId === member.silenceId &&
        believedSeverity === member.believedSeverity
      )
        continue;
      changes.push({
        groupId: group.groupId,
        alertId: member.subject.alertId,
        told: next,
        believedSeverity,
        silenceId,
      });
      if (hush && silenceId !== null && silenceId !== member.silenceId) {
        events.push(silenced(member, hush));
      }
    }
    standings.push({
      groupId: group.groupId,
      transition,
      isTold: type !== undefined,
      toldSeverity: believed.length > 0 ? worst(believed) : group.toldSeverity,
      dueAt: verdict.dueAt ?? null,
      isClosed: verdict.isClosed,
    });
  }

  const made = await insertNotifications(transaction, workspaceId, notifications);
  await enqueueDeliveries(
    transaction,
    workspaceId,
    dispatches.filter(({ deliveryId }) => made.has(deliveryId)),
  );
  await updateMembers(transaction, workspaceId, changes);
  await updateGroups(transaction, workspaceId, standings);
  await addEvents(transaction, workspaceId, unique(events));
}

async function hushing(silencer: Silencer, { members }: Group, breathe: Breath): Promise<Hushed> {
  const hushes = new Map<Member, Hush | undefined>();
  for (const member of members) {
    hushes.set(member, silencer(member.subject, member.incidentId));
    await breathe();
  }
  return (member) => hushes.get(member);
}

/** Whether a notification speaks of a member: of all that fires and is not kept back, and of what has ended. */
function isToldNow(member: Member, type: Verdict["type"], hushOf: Hushed): boolean {
  if (type === undefined) return false;
  return member.fires ? !hushOf(member) : member.told === "firing";
}

const WORDS: Record<AlertsEvent["type"], string> = {
  "alerts.firing": "Told",
  "alerts.changed": "Told what is new",
  "alerts.repeated": "Told again",
  "alerts.resolved": "Told that it is over",
};

function notified(
  event: AlertsEvent,
  told: readonly Member[],
  { channelId, deliveryId, name }: { channelId: string; deliveryId: string; name: string },
): NewEvent[] {
  const incidents = new Set(told.map(({ incidentId }) => incidentId));
  return [...incidents].map((incidentId) => ({
    incidentId,
    kind: "notified",
    message: `${WORDS[event.type]} on the channel "${name}", by the route "${event.data.route}".`,
    channelId,
    deliveryId,
  }));
}

const silenced = (member: Member, { silenceId, reason }: Hush): NewEvent => ({
  incidentId: member.incidentId,
  kind: "silenced",
  message: `"${member.summary || member.subject.alertName}" is kept back by a silence: ${reason}`,
  alertId: member.subject.alertId,
  silenceId,
});

/** An alert in several groups is silenced once. */
function unique(events: readonly NewEvent[]): NewEvent[] {
  const seen = new Set<string>();
  return events.filter((event) => {
    if (event.kind !== "silenced") return true;
    const key = `${event.alertId} ${event.silenceId}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
