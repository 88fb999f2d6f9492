import { randomUUID } from "node:crypto";
import { makeBreath } from "../../lib/breath.ts";
import type { Log } from "../../lib/log.ts";
import { type AlertChange, recordTransitions } from "../alerts/transitions.ts";
import type { Database } from "../db/database.ts";
import type { CompiledRule } from "./compile.ts";
import { isCalm } from "./condition.ts";
import { changesOf } from "./details.ts";
import { type Evaluator, makeEvaluator, type Series } from "./evaluator.ts";
import { makeRecentPoints } from "./points.ts";
import * as store from "./state-store.ts";
import { readStored } from "./stored.ts";

/** What a server remembers of one workspace's evaluation: the same as what is in the database. */
export interface Memory {
  workspaceId: string;
  rulesRevision: bigint;
  /** The state in the database that this is the memory of. */
  token: string;
  evaluator: Evaluator;
  /** Series by id; undefined for those that no rule wants. */
  series: Map<number, Series | undefined>;
  /** To be awaited before a series is added. */
  tryPatterns: ReturnType<typeof patternTrials>;
  /** When it was last written that there was nothing to write. */
  savedMs: number;
  /** What follows from the rules having changed. */
  changes: AlertChange[];
  orphans: store.StateChange[];
}

/** Reads everything from the database, in the transaction that holds the lock on it. */
export async function loadMemory(
  transaction: Database,
  workspaceId: string,
  progress: store.Progress,
  log: Log,
): Promise<Memory> {
  const rules: CompiledRule[] = [];
  const unread = new Set<string>();
  for (const row of await store.listEnabledRules(transaction, workspaceId)) {
    const { rule, problem } = readStored(row);
    if (rule) rules.push(rule);
    else {
      unread.add(row.rule_id);
      log.error({ workspaceId, ruleId: row.rule_id, problem }, "a rule is not evaluated");
    }
  }
  await store.listenAnew(transaction, workspaceId, [...unread]);
  const onFull = ({ ruleId, settings }: CompiledRule) =>
    log.warn(
      { workspaceId, ruleId, rule: settings.displayName },
      "a rule has no room for more groups, and judges none beyond those it has; group by fewer labels, or match fewer series",
    );
  const evaluator = makeEvaluator(rules, { onFull });
  const blocks = await store.loadPoints(transaction, workspaceId);
  const names = await store.findSeriesNames(transaction, workspaceId, [...blocks.keys()]);
  const series = new Map<number, Series | undefined>();
  const tryPatterns = patternTrials(rules);
  for (const { seriesId, metric, labels } of names) {
    const points = makeRecentPoints(blocks.get(seriesId));
    await tryPatterns(metric, labels);
    series.set(seriesId, evaluator.addSeries(seriesId, metric, labels, points));
  }
  const unwanted = [...blocks.keys()].filter((seriesId) => !series.get(seriesId));
  // A rule that is not read may want them: where it stands is kept, and what it stands on.
  if (unwanted.length > 0 && unread.size === 0)
    await store.forgetPoints(transaction, workspaceId, unwanted);
  const changes: AlertChange[] = [];
  const orphans: store.StateChange[] = [];
  for (const row of await store.loadStates(transaction, workspaceId)) {
    if (evaluator.restore(row.rule_id, row.group_key, row.state)) continue;
    if (unread.has(row.rule_id)) continue;
    orphans.push({ ruleId: row.rule_id, groupKey: row.group_key, state: undefined });
    changes.push({
      kind: "resolve",
      key: { origin: "rule", source: row.rule_id, groupKey: row.group_key },
      atMs: progress.judgedMs,
      reason: "its series are gone",
    });
  }
  evaluator.resume(progress.judgedMs, progress.resumedMs);
  return {
    workspaceId,
    rulesRevision: progress.rulesRevision,
    token: progress.token,
    evaluator,
    series,
    tryPatterns,
    savedMs: progress.judgedMs,
    changes,
    orphans,
  };
}

/**
 * Tries the regular expressions of rules on a series, with breaths between them: the outcomes are kept, and
 * met again at once when the series is added.
 */
function patternTrials(rules: readonly CompiledRule[]) {
  const trying = rules.filter(({ hasPatterns }) => hasPatterns);
  const byMetric = Map.groupBy(trying, ({ settings }) => settings.metric);
  const breathe = makeBreath();
  return async (metric: string, labels: Series["labels"]) => {
    for (const rule of byMetric.get(metric) ?? []) {
      rule.selects(labels);
      await breathe();
    }
  };
}

/** Finds out which series rules want, of those that were never seen. */
export async function meetSeries(
  transaction: Database,
  memory: Memory,
  seriesIds: readonly number[],
): Promise<void> {
  const names = await store.findSeriesNames(transaction, memory.workspaceId, seriesIds);
  for (const { seriesId, metric, labels } of names) {
    await memory.tryPatterns(metric, labels);
    memory.series.set(seriesId, memory.evaluator.addSeries(seriesId, metric, labels));
  }
  for (const seriesId of seriesIds) {
    if (!memory.series.has(seriesId)) memory.series.set(seriesId, undefined);
  }
}

/** So often it is at least written how far evaluation has come. */
const SAVED_EVERY_MS = 5_000;

/**
 * Writes what has changed since it was last called: points, states, alerts and whoever is to be told of
 * them. Whatever fails here fails the transaction, and with it the move of the reader's place.
 */
export async function saveMemory(
  transaction: Database,
  memory: Memory,
  touched: ReadonlySet<Series>,
): Promise<void> {
  const { workspaceId, evaluator } = memory;
  const written: store.PointChanges["written"] = [];
  const gone: store.PointChanges["gone"] = [];
  for (const one of touched) {
    evaluator.forgetOld(one);
    const { seriesId } = one;
    const changes = one.points.takeChanges();
    for (const block of changes.written) written.push({ seriesId, block });
    for (const startMs of changes.gone) gone.push({ seriesId, startMs });
  }
  const states = memory.orphans.splice(0);
  for (const { rule, key, state } of evaluator.takeChanged()) {
    states.push({ ruleId: rule.ruleId, groupKey: key, state: isCalm(state) ? undefined : state });
  }
  const verdicts = evaluator.takeVerdicts();
  const isDue = evaluator.nowMs - memory.savedMs >= SAVED_EVERY_MS;
  const changes = memory.changes.splice(0);
  if (written.length + gone.length + states.length + verdicts.length + changes.length === 0) {
    if (!isDue) return;
  }
  await store.savePoints(transaction, workspaceId, { written, gone });
  await store.saveStates(transaction, workspaceId, states);
  changes.push(...(await changesOf(transaction, workspaceId, verdicts)));
  await recordTransitions(transaction, workspaceId, changes);
  memory.token = randomUUID();
  memory.savedMs = evaluator.nowMs;
  await store.saveProgress(transaction, workspaceId, {
    judgedMs: evaluator.nowMs,
    resumedMs: evaluator.resumedMs,
    token: memory.token,
  });
}
