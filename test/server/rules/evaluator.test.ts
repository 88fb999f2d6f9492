/**
 * The evaluator beside an oracle that keeps every point and looks at all of them each time: over points that come
 * late, twice, in any order, and over evaluators that are replaced at any moment.
 */
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import test from "ava";
import {
  Grouping_Operation as Across,
  QueryRangeRequest_Aggregation as Over,
} from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import {
  RuleSettings_Direction as Direction,
  type RuleSettings,
  RuleSettingsSchema,
} from "../../../gen/lumetry/v1/rule_pb.js";
import { Severity } from "../../../gen/lumetry/v1/severity_pb.js";
import { compileRule } from "../../../server/rules/compile.ts";
import { type Evaluator, makeEvaluator, type Series } from "../../../server/rules/evaluator.ts";
import { makeRecentPoints, packBlock, unpackBlock } from "../../../server/rules/points.ts";

const SECOND = 1_000;
const MINUTE = 60_000;
const START = Date.UTC(2026, 0, 1);

/** A point on its way: when it was measured, and when it came. */
interface Sent {
  host: string;
  ms: number;
  value: number;
  cameMs: number;
}

/** xorshift32: the same numbers for the same seed. */
function makeRandom(seed: number) {
  let state = seed || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return { next, below: (end: number) => Math.floor(next() * end) };
}
type Random = ReturnType<typeof makeRandom>;

function makeRule(random: Random, grouped: boolean): RuleSettings {
  const isAbove = random.below(2) === 0;
  const bound = 40 + random.below(20);
  return create(RuleSettingsSchema, {
    displayName: "r",
    metric: "m",
    severity: Severity.WARNING,
    window: durationFromMs((1 + random.below(60)) * SECOND),
    aggregation: [Over.AVERAGE, Over.MAXIMUM, Over.LAST, Over.COUNT][random.below(4)] as Over,
    for: durationFromMs(random.below(3) * 20 * SECOND),
    ...(grouped && { grouping: { operation: Across.SUM, labels: [] } }),
    condition: {
      case: "threshold",
      value: {
        direction: isAbove ? Direction.ABOVE : Direction.BELOW,
        value: bound,
        recoveryValue: bound + (isAbove ? -10 : 10),
      },
    },
  });
}

/** Half an hour of three hosts: some points late, some by far, some twice, hosts that are cut off for a while. */
function makeSent(random: Random): Sent[] {
  const sent: Sent[] = [];
  for (const host of ["a", "b", "c"]) {
    const everyMs = (2 + random.below(10)) * SECOND;
    const cutFrom = START + random.below(30) * MINUTE;
    const cutUntil = cutFrom + random.below(20) * MINUTE;
    let level = 50;
    for (let ms = START + random.below(9_000); ms < START + 30 * MINUTE; ms += everyMs) {
      if (random.below(12) === 0) level = random.below(100);
      const value = level + random.below(10);
      const lateMs = [0, 300, 900, 4_000, 30_000, 200_000][random.below(6)] as number;
      const isCut = ms >= cutFrom && ms < cutUntil;
      const cameMs = isCut ? cutUntil + Math.floor((ms - cutFrom) / 100) : ms + lateMs;
      sent.push({ host, ms, value, cameMs });
      // What is sent again has another value, so that it shows when it is taken.
      if (random.below(4) === 0) {
        const later = cameMs + 1 + random.below(20 * MINUTE);
        sent.push({ host, ms, value: 100 - value, cameMs: later });
      }
    }
  }
  return sent.sort((a, b) => a.cameMs - b.cameMs);
}

interface Change {
  group: string;
  kind: string;
  atMs: number;
}

/** What is said in rule.proto, as plainly as it can be done: all points, all the time. */
function oracle(settings: RuleSettings, sent: readonly Sent[], endMs: number): Change[] {
  const changes: Change[] = [];
  const { condition } = settings;
  if (condition.case !== "threshold") throw new Error("not a threshold");
  const { direction, value: bound, recoveryValue = bound } = condition.value;
  const isBeyond = (value: number, limit: number) =>
    direction === Direction.ABOVE ? value > limit : value < limit;
  const windowMs = Number(settings.window?.seconds) * SECOND;
  const forMs = Number(settings.for?.seconds ?? 0) * SECOND;
  const groups = settings.grouping ? [["a", "b", "c"]] : [["a"], ["b"], ["c"]];
  for (const hosts of groups) {
    const name = settings.grouping ? "" : (hosts[0] as string);
    const own = sent.filter(({ host }) => hosts.includes(host));
    const first = new Map<string, Sent>();
    for (const one of own) {
      const key = `${one.host} ${one.ms}`;
      if (!first.has(key)) first.set(key, one);
    }
    const points = [...first.values()];
    /** Each second with a point, when it is judged: a second after it, or when its first point came. */
    const seconds = new Map<number, { dueMs: number; cameMs: number }>();
    for (const { ms, cameMs } of points) {
      const at = Math.ceil(ms / SECOND) * SECOND;
      if (!seconds.has(at)) seconds.set(at, { dueMs: Math.max(at + SECOND, cameMs), cameMs });
    }
    const order = [...seconds].sort(([a, x], [b, y]) => x.dueMs - y.dueMs || a - b);
    let judgedMs = -Infinity;
    let sinceMs: number | undefined;
    let isFiring = false;
    let alert = "none";
    for (const [at, { dueMs, cameMs }] of order) {
      if (at <= judgedMs || dueMs > endMs) continue;
      judgedMs = at;
      const values = hosts.flatMap((host) => {
        const held = points
          // On the very moment of the judgement, what comes is there only if the second is late itself.
          .filter((one) => one.host === host && one.ms > at - windowMs && one.ms <= at)
          .filter((one) => (dueMs > at + SECOND ? one.cameMs <= dueMs : one.cameMs < dueMs))
          .sort((a, b) => a.ms - b.ms)
          .map(({ value }) => value);
        return held.length === 0 ? [] : [combine(settings.aggregation, held)];
      });
      if (values.length === 0) continue;
      const value = values.reduce((a, b) => a + b, 0);
      const isPast = at < cameMs - 10 * MINUTE - windowMs;
      if (!isBeyond(value, isFiring ? recoveryValue : bound)) {
        if (alert === "firing") changes.push({ group: name, kind: "resolve", atMs: at });
        if (alert === "pending") changes.push({ group: name, kind: "forget", atMs: 0 });
        [sinceMs, isFiring, alert] = [undefined, false, "none"];
        continue;
      }
      sinceMs ??= at;
      if (at - sinceMs >= forMs) isFiring = true;
      if (isPast) continue;
      if (isFiring && alert !== "firing") {
        changes.push({ group: name, kind: "fire", atMs: at });
        alert = "firing";
      } else if (!isFiring && alert === "none") {
        changes.push({ group: name, kind: "begin", atMs: sinceMs });
        alert = "pending";
      }
    }
  }
  return changes;
}

function combine(aggregation: Over, values: readonly number[]): number {
  switch (aggregation) {
    case Over.MAXIMUM:
      return Math.max(...values);
    case Over.LAST:
      return values.at(-1) as number;
    case Over.COUNT:
      return values.length;
    default:
      return values.reduce((a, b) => a + b, 0) / values.length;
  }
}

/** An evaluator that is thrown away now and then, and made again from what would have been kept. */
function evaluate(
  settings: RuleSettings,
  sent: readonly Sent[],
  endMs: number,
  random: Random | undefined,
): Change[] {
  const rule = compileRule("r", settings);
  const changes: Change[] = [];
  const states = new Map<string, unknown>();
  const kept = new Map<string, Map<number, Buffer>>();
  let evaluator: Evaluator = makeEvaluator([rule]);
  let series = new Map<string, Series>();
  const meet = (host: string) => {
    const blocks = [...(kept.get(host) ?? [])].map(([start, body]) => unpackBlock(start, body));
    const one = evaluator.addSeries(host.charCodeAt(0), "m", { host }, makeRecentPoints(blocks));
    if (!one) throw new Error("the rule wants no series");
    series.set(host, one);
    return one;
  };
  const save = () => {
    for (const { group, step } of evaluator.takeVerdicts()) {
      const atMs = step.kind === "forget" ? 0 : step.atMs;
      changes.push({ group: group.labels.host ?? "", kind: step.kind, atMs });
    }
    for (const { key, state } of evaluator.takeChanged()) states.set(key, state);
    for (const [host, one] of series) {
      evaluator.forgetOld(one);
      const { written, gone } = one.points.takeChanges();
      const blocks = kept.get(host) ?? new Map<number, Buffer>();
      kept.set(host, blocks);
      for (const block of written) blocks.set(block.startMs, packBlock(block));
      for (const startMs of gone) blocks.delete(startMs);
    }
  };
  const replace = () => {
    const { nowMs, resumedMs } = evaluator;
    evaluator = makeEvaluator([rule]);
    series = new Map();
    for (const host of kept.keys()) meet(host);
    for (const [key, state] of states) evaluator.restore("r", key, state as never);
    evaluator.resume(nowMs, resumedMs);
  };
  evaluator.resume(START - MINUTE, START - MINUTE);
  for (const { host, ms, value, cameMs } of sent) {
    evaluator.advance(cameMs);
    const one = series.get(host) ?? meet(host);
    evaluator.addPoint(one, ms, ms, value);
    evaluator.advance(cameMs);
    if (random && random.below(3) > 0) continue;
    save();
    if (random && random.below(10) === 0) replace();
  }
  evaluator.advance(endMs);
  save();
  return changes;
}

const inOrder = (changes: readonly Change[]) =>
  ["", "a", "b", "c"].map((host) => changes.filter(({ group }) => group === host));

for (const grouped of [false, true]) {
  test(`${grouped ? "groups" : "series"} are judged as the oracle judges them, whoever is replaced when`, (t) => {
    let seen = 0;
    for (let seed = 1; seed <= 20; seed += 1) {
      const random = makeRandom(seed * 7919 + (grouped ? 1 : 0));
      const settings = makeRule(random, grouped);
      const sent = makeSent(random);
      const endMs = START + 2 * 60 * MINUTE;
      const expected = inOrder(oracle(settings, sent, endMs));
      const found = inOrder(evaluate(settings, sent, endMs, random));
      t.deepEqual(found, expected, `seed ${seed}`);
      seen += expected.flat().length;
    }
    t.true(seen > 150, `only ${seen} changes`);
  });
}

test("whoever was silent before the rule was made is not missed; whoever is heard of after that is", (t) => {
  const settings = create(RuleSettingsSchema, {
    displayName: "r",
    metric: "m",
    severity: Severity.WARNING,
    condition: { case: "absence", value: { duration: durationFromMs(30 * SECOND) } },
  });
  // Another rule has watched both: their last points are there when this one is made.
  const evaluator = makeEvaluator([compileRule("r", settings, START)]);
  const points = makeRecentPoints();
  points.add(START - 10 * MINUTE, START - 10 * MINUTE, 1);
  evaluator.addSeries(1, "m", { host: "gone" }, points);
  const back = evaluator.addSeries(2, "m", { host: "back" });
  if (!back) throw new Error("the rule wants no series");
  evaluator.resume(START, START - 60 * MINUTE);
  const passUntil = (ms: number) => {
    for (let now = evaluator.nowMs; now < ms; now += 10 * SECOND) evaluator.advance(now);
    evaluator.advance(ms);
    return evaluator.takeVerdicts().map(({ group, step }) => `${group.labels.host} ${step.kind}`);
  };
  t.deepEqual(passUntil(START + 10 * MINUTE), []);
  evaluator.addPoint(back, START + 10 * MINUTE, START + 10 * MINUTE, 1);
  t.deepEqual(passUntil(START + 20 * MINUTE), ["back fire"]);
});

test("a rule takes so many groups and no more, says so once, and those that it has are judged on", (t) => {
  const rules = ["x", "y"].map((id) =>
    compileRule(id, { ...makeRule(makeRandom(1), false), displayName: id }),
  );
  const full: string[] = [];
  const evaluator = makeEvaluator(rules, {
    onFull: ({ ruleId }) => full.push(ruleId),
    most: { ofRule: 2, ofAll: 3 },
  });
  const takenBy = (host: string, seriesId: number) =>
    evaluator.addSeries(seriesId, "m", { host })?.members.map(({ group }) => group.rule.ruleId);
  t.deepEqual(takenBy("a", 1), ["x", "y"]);
  t.deepEqual(takenBy("b", 2), ["x"]);
  t.is(takenBy("c", 3), undefined);
  t.is(takenBy("d", 4), undefined);
  t.deepEqual(takenBy("a", 5), ["x", "y"]);
  t.deepEqual(full, ["y", "x"]);
});
