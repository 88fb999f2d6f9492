import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  PreviewRuleResponse_EpisodeSchema as EpisodeSchema,
  type PreviewRuleResponse,
  PreviewRuleResponseSchema,
} from "../../gen/lumetry/v1/rule_service_pb.js";
import { makeBreath } from "../../lib/breath.ts";
import type { Columns } from "../query/columns.ts";
import type { Span } from "../query/rules.ts";
import type { CompiledRule } from "./compile.ts";
import { described } from "./details.ts";
import { GRACE_MS, type Group, makeEvaluator, type Series, type Verdict } from "./evaluator.ts";

const MOST_EPISODES = 1_000;
const MOST_GROUPS = 20;
const MOST_VALUES = 1_000;
/** Somebody always listened: less than the time after which evaluation takes itself for deaf. */
const TICK_MS = 10_000;

/** A series with its points in the span, and those before it that its first windows look at. */
export interface History {
  seriesId: number;
  labels: Readonly<Record<string, string>>;
  points: Columns;
}

type Episode = PreviewRuleResponse["episodes"][number];

/** Evaluates a rule over points that are long there, as if each had come when it was measured. */
export async function preview(
  rule: CompiledRule,
  history: readonly History[],
  span: Span,
  signal: AbortSignal,
): Promise<PreviewRuleResponse> {
  const judged = new Map<Group, { ms: number; value: number }[]>();
  const note = (group: Group, ms: number, value: number) => {
    if (ms < span.startMs) return;
    const values = judged.get(group);
    if (values) values.push({ ms, value });
    else judged.set(group, [{ ms, value }]);
  };
  const evaluator = makeEvaluator([rule], { onJudged: note });
  const book = makeBook(span);
  const breathe = makeBreath(signal);
  const tick = async (ms: number) => {
    evaluator.advance(ms);
    book.write(evaluator.takeVerdicts());
    evaluator.takeChanged();
    await breathe();
  };

  await tick(span.startMs - rule.keepMs);
  for (const { ms, value, series } of inOrder(evaluator, rule, history)) {
    while (evaluator.nowMs + TICK_MS < ms) await tick(evaluator.nowMs + TICK_MS);
    await tick(ms);
    evaluator.addPoint(series, ms, ms, value);
    evaluator.forgetOld(series);
  }
  while (evaluator.nowMs + TICK_MS < span.endMs + GRACE_MS) await tick(evaluator.nowMs + TICK_MS);
  await tick(span.endMs + GRACE_MS);

  const { episodes, counts } = book;
  return create(PreviewRuleResponseSchema, {
    seriesCount: BigInt(history.length),
    groupCount: BigInt(evaluator.groups.size),
    firingCount: BigInt(episodes.length),
    episodes: episodes.slice(0, MOST_EPISODES),
    values: [...judged]
      .sort(([a], [b]) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0))
      .slice(0, MOST_GROUPS)
      .map(([{ labels }, values]) => ({
        metric: rule.settings.metric,
        labels: { ...labels },
        points: thin(rule, values).map(({ ms, value }) => ({ time: timestampFromMs(ms), value })),
      })),
  });
}

interface Arrival {
  ms: number;
  value: number;
  series: Series;
}

/** The points of all series by time; of one time, by series. */
function inOrder(
  evaluator: ReturnType<typeof makeEvaluator>,
  rule: CompiledRule,
  history: readonly History[],
): Arrival[] {
  const arrivals: Arrival[] = [];
  for (const { seriesId, labels, points } of history) {
    const series = evaluator.addSeries(seriesId, rule.settings.metric, labels);
    if (!series) continue;
    for (let at = 0; at < points.count; at += 1) {
      arrivals.push({ ms: points.timeAt(at), value: points.valueAt(at), series });
    }
  }
  return arrivals.sort((a, b) => a.ms - b.ms || a.series.seriesId - b.series.seriesId);
}

/** Writes down what alerts would have fired in the span. */
function makeBook(span: Span) {
  const episodes: Episode[] = [];
  const open = new Map<Group, Episode>();
  const counts = new Map<Group, number>();
  return {
    episodes,
    counts,
    write(verdicts: readonly Verdict[]) {
      for (const { group, step, value } of verdicts) {
        if (step.kind === "resolve") {
          const episode = open.get(group);
          if (episode) episode.resolveTime = timestampFromMs(step.atMs);
          open.delete(group);
        }
        if (step.kind !== "fire" || step.atMs < span.startMs) continue;
        const { summary, labels } = described(group.rule, group.labels, value);
        const episode = create(EpisodeSchema, {
          labels,
          startTime: timestampFromMs(step.sinceMs),
          fireTime: timestampFromMs(step.atMs),
          value: value ?? 0,
          summary,
        });
        episodes.push(episode);
        open.set(group, episode);
        counts.set(group, (counts.get(group) ?? 0) + 1);
      }
    },
  };
}

/** Of several values in a row, the one that is nearest to firing. */
function thin({ condition }: CompiledRule, values: { ms: number; value: number }[]) {
  const each = Math.ceil(values.length / MOST_VALUES);
  if (each <= 1) return values;
  const isWorse =
    condition.kind === "bound" && !condition.isAbove
      ? (a: number, b: number) => a < b
      : (a: number, b: number) => a > b;
  const kept: typeof values = [];
  for (let from = 0; from < values.length; from += each) {
    kept.push(
      values.slice(from, from + each).reduce((a, b) => (isWorse(b.value, a.value) ? b : a)),
    );
  }
  return kept;
}
