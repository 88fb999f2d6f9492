import type pg from "pg";
import type { PreviewRuleRequest } from "../../gen/lumetry/v1/rule_service_pb.js";
import { matcherConditions } from "../catalog/matchers.ts";
import { findLabels, findSeriesIds } from "../catalog/store.ts";
import type { Database } from "../db/database.ts";
import { makeBudget } from "../query/budget.ts";
import type { Kept } from "../query/kept.ts";
import { readRange } from "../query/range.ts";
import { InvalidQuery, type Span, spanOf, TooMuch } from "../query/rules.ts";
import { viewPoints } from "../query/view.ts";
import type { CompiledRule } from "./compile.ts";
import type { History } from "./preview.ts";

const LONGEST_MS = 31 * 86_400_000;
const MOST = { series: 10_000, points: 1_000_000 };

/** Reads the points that a rule would have judged in a span, and those its first windows look at. */
export async function readHistory(
  at: {
    db: Database;
    pool: pg.Pool;
    workspaceId: string;
    signal: AbortSignal;
    kept: Kept;
  },
  { settings, keepMs }: CompiledRule,
  request: PreviewRuleRequest,
): Promise<{ span: Span; history: History[] }> {
  const { db, pool, workspaceId, signal, kept } = at;
  const span = spanOf(request);
  if (span.endMs - span.startMs > LONGEST_MS) {
    throw new InvalidQuery("a preview spans 31 days at most; set a later start_time");
  }
  if (span.startMs < kept.pointsFrom) {
    throw new InvalidQuery(
      `points from before ${new Date(kept.pointsFrom).toISOString()} are no longer kept; set a later start_time`,
    );
  }
  const { metric, matchers } = settings;
  const conditions = await matcherConditions(db, workspaceId, metric, matchers);
  const ids = await findSeriesIds(db, workspaceId, metric, conditions, MOST.series + 1);
  if (ids.length > MOST.series) {
    throw new TooMuch(`more than ${MOST.series} series match; narrow the labels for a preview`);
  }
  const { series } = await viewPoints(pool, workspaceId, signal, (view) =>
    readRange(
      view,
      {
        seriesIds: new Set(ids),
        span: { startMs: span.startMs - keepMs, endMs: span.endMs },
        step: undefined,
        isGauge: true,
        kept,
      },
      MOST,
      makeBudget("narrow the span"),
    ),
  );
  const labels = await findLabels(db, workspaceId, [...series.keys()]);
  const history = [...series]
    .sort(([a], [b]) => a - b)
    .map(([seriesId, points]) => ({ seriesId, labels: labels.get(seriesId) ?? {}, points }));
  return { span, history };
}
