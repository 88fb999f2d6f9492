import type { Evidence } from "../alerts/table.ts";
import { makeAgenda } from "./agenda.ts";
import type { CompiledRule } from "./compile.ts";
import {
  CALM,
  type GroupState,
  isCalm,
  judgeSilence,
  judgeValue,
  type Step,
  settle,
} from "./condition.ts";
import { evidenceOf } from "./evidence.ts";
import { labelsOfGroup, reduceGroup, textOfLabels } from "./groups.ts";
import { makeRecentPoints, type RecentPoints } from "./points.ts";
import { type Measured, measure } from "./window.ts";

type Labels = Readonly<Record<string, string>>;

/** Groups are judged at whole multiples of this, those in which they have a point. */
export const STEP_MS = 1_000;
/** So long after a time, points of it may still come and are judged with the others. */
export const GRACE_MS = 1_000;
/** Points that are older than this and the window when they come are of the past: they open nothing. */
export const PAST_MS = 600_000;
/** After so long without an evaluator, what was silent meanwhile gets its time anew. */
export const DEAF_MS = 30_000;
/** Alerts about values end when nothing has come for so long. */
export const STALE_MS = 86_400_000;
/** So many groups one rule judges at most, and all rules of a workspace together; what is beyond is not judged. */
const MOST_GROUPS = { ofRule: 20_000, ofAll: 200_000 };
/** What is muted is looked at again after so long. */
const MUTED_MS = 60_000;

/** A series that some rule wants. */
export interface Series {
  seriesId: number;
  metric: string;
  labels: Labels;
  points: RecentPoints;
  members: Member[];
}

/** A series in a group, with what its window held when it was last looked at. */
export interface Member {
  group: Group;
  series: Series;
  measured: Measured | undefined;
}

/** The series that a rule judges together. */
export interface Group {
  rule: CompiledRule;
  key: string;
  labels: Labels;
  members: Member[];
  /** The last time that was judged; no earlier one is any more. */
  judgedMs: number;
  /** Times to be judged, and when the first point of each had come. */
  waiting: Map<number, number>;
  /** The newest point that was judged. */
  seenMs: number;
  /** When its silence is looked at; infinite while it does not matter. */
  alarmMs: number;
  state: GroupState;
}

/** An alert changes, by a value of its group; undefined where nothing had come. */
export interface Verdict {
  group: Group;
  step: Step;
  value: number | undefined;
  evidence: Evidence;
  /** For an alert that ends otherwise than by a value. */
  reason?: string;
}

/**
 * Judges points by rules. It knows no clock but the times at which points came: what follows is the same whoever
 * evaluates, and in how many portions, as long as the points come in the same order.
 */
export interface Evaluator {
  /** A series that came to be known; undefined when no rule wants it, or has room for it. */
  addSeries(
    seriesId: number,
    metric: string,
    labels: Labels,
    points?: RecentPoints,
  ): Series | undefined;
  /** Takes back what was remembered of a group; false when there is none. */
  restore(ruleId: string, groupKey: string, state: GroupState): boolean;
  /** To be called once all series of before are there: what they hold was judged up to `nowMs`. */
  resume(nowMs: number, resumedMs: number): void;
  /** A point came at `nowMs`, by the sender's clock and by ours. */
  addPoint(series: Series, givenMs: number, ms: number, value: number): void;
  /** Forgets points of a series that were looked at for the last time. */
  forgetOld(series: Series): void;
  /** Everything that had come by then was told. */
  advance(nowMs: number): void;
  /** What it is now, and since when somebody listened. */
  readonly nowMs: number;
  readonly resumedMs: number;
  /** When there is something to judge, if no point comes. */
  readonly nextMs: number;
  takeVerdicts(): Verdict[];
  /** Groups whose state changed since they were last asked for. */
  takeChanged(): Set<Group>;
  readonly groups: ReadonlyMap<string, Group>;
}

export function makeEvaluator(
  rules: readonly CompiledRule[],
  options: {
    onJudged?: (group: Group, atMs: number, value: number) => void;
    /** Told once of each rule that has no room for another group. */
    onFull?: (rule: CompiledRule) => void;
    most?: typeof MOST_GROUPS;
  } = {},
): Evaluator {
  const byMetric = Map.groupBy(rules, ({ settings }) => settings.metric);
  const most = options.most ?? MOST_GROUPS;
  const groups = new Map<string, Group>();
  const counts = new Map<CompiledRule, number>();
  const full = new Set<CompiledRule>();
  const agenda = makeAgenda<Group>();
  let nowMs = Number.NEGATIVE_INFINITY;
  let resumedMs = Number.NEGATIVE_INFINITY;
  let verdicts: Verdict[] = [];
  let changed = new Set<Group>();

  const hasRoom = (rule: CompiledRule): boolean => {
    if ((counts.get(rule) ?? 0) < most.ofRule && groups.size < most.ofAll) return true;
    if (!full.has(rule)) options.onFull?.(rule);
    full.add(rule);
    return false;
  };

  const groupOf = (rule: CompiledRule, labels: Labels): Group | undefined => {
    const own = labelsOfGroup(rule.grouping, labels);
    const key = textOfLabels(own);
    const name = nameOf(rule.ruleId, key);
    const there = groups.get(name);
    if (there) return there;
    if (!hasRoom(rule)) return undefined;
    const group: Group = {
      rule,
      key,
      labels: own,
      members: [],
      judgedMs: Number.NEGATIVE_INFINITY,
      waiting: new Map(),
      seenMs: Number.NEGATIVE_INFINITY,
      alarmMs: Number.POSITIVE_INFINITY,
      state: CALM,
    };
    groups.set(name, group);
    counts.set(rule, (counts.get(rule) ?? 0) + 1);
    return group;
  };

  const become = (
    group: Group,
    { state, step }: { state: GroupState; step: Step | undefined },
    value: number | undefined,
    reason?: string,
  ) => {
    const before = group.state;
    group.state = state;
    if (
      before.sinceMs !== state.sinceMs ||
      before.isFiring !== state.isFiring ||
      before.alert !== state.alert
    ) {
      changed.add(group);
    }
    if (!step) return;
    const evidence = evidenceOf(group, nowMs);
    verdicts.push({ group, step, value, evidence, ...(reason !== undefined && { reason }) });
  };

  const valueAt = (group: Group, atMs: number): number | undefined => {
    const values: number[] = [];
    for (const member of group.members) {
      if (!member.measured || atMs > member.measured.untilMs) {
        member.measured = measure(group.rule, member.series.points, atMs);
      }
      if (member.measured.value !== undefined) values.push(member.measured.value);
    }
    return reduceGroup(group.rule.grouping, values);
  };

  /** When a group's silence lasts for too long, if it lasts. */
  const silenceEnds = ({ rule, seenMs, state }: Group): number => {
    const heardMs = Math.max(seenMs, resumedMs);
    if (rule.condition.kind === "absence") {
      const wasHeard = seenMs >= rule.sinceMs;
      return wasHeard ? heardMs + rule.condition.durationMs : Number.POSITIVE_INFINITY;
    }
    return isCalm(state) ? Number.POSITIVE_INFINITY : Math.max(heardMs, rule.sinceMs) + STALE_MS;
  };

  /** One alarm at a time: when it comes too early, it is set again. */
  const setAlarm = (group: Group, atMs: number) => {
    if (atMs >= group.alarmMs) return;
    group.alarmMs = atMs;
    agenda.add(atMs, group);
  };

  const judge = (group: Group, atMs: number, cameMs: number) => {
    const { rule } = group;
    group.judgedMs = atMs;
    if (rule.condition.kind === "absence") {
      if (silenceEnds(group) > nowMs) become(group, settle(group.state, atMs), undefined);
      return;
    }
    const value = valueAt(group, atMs);
    if (value === undefined || Number.isNaN(value)) return;
    options.onJudged?.(group, atMs, value);
    const isQuiet = atMs < cameMs - PAST_MS - rule.windowMs || rule.isMuted(atMs);
    become(group, judgeValue(rule.condition, group.state, atMs, value, isQuiet), value);
  };

  /** Judges what is due of a group, in order of time, and its silence. */
  const attend = (group: Group, dueMs: number) => {
    const due = [...group.waiting.keys()].filter((ms) => ms + GRACE_MS <= dueMs);
    for (const ms of due.sort((a, b) => a - b)) {
      const cameMs = group.waiting.get(ms) ?? nowMs;
      group.waiting.delete(ms);
      if (ms > group.seenMs) group.seenMs = ms;
      judge(group, ms, cameMs);
    }
    if (dueMs >= group.alarmMs) group.alarmMs = Number.POSITIVE_INFINITY;
    const ends = silenceEnds(group);
    if (ends > dueMs) {
      setAlarm(group, ends);
      return;
    }
    if (group.rule.condition.kind !== "absence") {
      become(group, settle(group.state, dueMs), undefined, "nothing has come for a day");
      return;
    }
    const isQuiet = group.rule.isMuted(dueMs);
    const sinceMs = Math.max(group.seenMs, resumedMs);
    become(group, judgeSilence(group.state, sinceMs, ends, isQuiet), undefined);
    if (group.state.alert !== "firing") setAlarm(group, dueMs + MUTED_MS);
  };

  return {
    groups,
    addSeries(seriesId, metric, labels, points = makeRecentPoints()) {
      const wanting = (byMetric.get(metric) ?? []).filter((rule) => rule.selects(labels));
      if (wanting.length === 0) return undefined;
      const series: Series = { seriesId, metric, labels, points, members: [] };
      for (const rule of wanting) {
        const group = groupOf(rule, labels);
        if (!group) continue;
        const member = { group, series, measured: undefined };
        group.members.push(member);
        series.members.push(member);
      }
      return series.members.length > 0 ? series : undefined;
    },

    restore(ruleId, groupKey, state) {
      const group = groups.get(nameOf(ruleId, groupKey));
      if (group) group.state = state;
      return group !== undefined;
    },

    resume(now, resumed) {
      nowMs = now;
      resumedMs = resumed;
      for (const group of groups.values()) {
        for (const { series } of group.members) {
          for (const ms of series.points.between(Number.NEGATIVE_INFINITY, Infinity).times) {
            const step = stepOf(ms);
            if (step + GRACE_MS > now) {
              group.waiting.set(step, now);
              agenda.add(step + GRACE_MS, group);
            } else {
              if (step > group.judgedMs) group.judgedMs = step;
              if (step > group.seenMs) group.seenMs = step;
            }
          }
        }
        setAlarm(group, Math.max(silenceEnds(group), now));
      }
    },

    addPoint(series, givenMs, ms, value) {
      if (ms <= uselessUntil(series) || !series.points.add(givenMs, ms, value)) return;
      const step = stepOf(ms);
      for (const member of series.members) {
        member.measured = undefined;
        const { group } = member;
        if (step <= group.judgedMs || group.waiting.has(step)) continue;
        group.waiting.set(step, nowMs);
        agenda.add(Math.max(step + GRACE_MS, nowMs), group);
      }
    },

    forgetOld(series) {
      series.points.forgetUntil(uselessUntil(series));
    },

    advance(toMs) {
      // Numbers are given to transactions before they end: what comes a little late came now.
      const now = Math.max(toMs, nowMs);
      if (now - nowMs > DEAF_MS) resumedMs = now;
      while (agenda.nextMs <= now) {
        const dueMs = agenda.nextMs;
        if (dueMs > nowMs) nowMs = dueMs;
        for (const group of agenda.take()) attend(group, dueMs);
      }
      nowMs = now;
    },

    get nowMs() {
      return nowMs;
    },
    get resumedMs() {
      return resumedMs;
    },
    get nextMs() {
      return agenda.nextMs;
    },

    takeVerdicts() {
      const taken = verdicts;
      verdicts = [];
      return taken;
    },

    takeChanged() {
      const taken = changed;
      changed = new Set();
      return taken;
    },
  };
}

/** Points up to here are in no window that is still to be judged. */
function uselessUntil({ members }: Series): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { group } of members) least = Math.min(least, group.judgedMs - group.rule.keepMs);
  return least;
}

/** The time at which a point is judged. */
export const stepOf = (ms: number) => Math.ceil(ms / STEP_MS) * STEP_MS;

const nameOf = (ruleId: string, groupKey: string) => `${ruleId} ${groupKey}`;
