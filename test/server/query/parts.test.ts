import test from "ava";
import fc from "fast-check";
import { QueryRangeRequest_Aggregation as Aggregation } from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import { makeBudget } from "../../../server/query/budget.ts";
import { type Answer, readRange } from "../../../server/query/range.ts";
import { TooMuch } from "../../../server/query/rules.ts";
import { SHOWN } from "../../../server/query/service.ts";
import type { PointsView } from "../../../server/query/view.ts";
import { packPoints, segmentOf, type TestPoint } from "../../support/log.ts";

const kept = { pointsFrom: 0, fiveMinutesFrom: 0 };
const holding = (gathered: number) => ({ ...SHOWN, gathered });

/** A log whose segments hold a point each, or each of what is given, and no chunks. */
function viewOf(points: TestPoint[], inASegment = 1): PointsView {
  const segments: { from: number; to: number; body: Buffer }[] = [];
  for (let first = 0; first < points.length; first += inASegment) {
    const some = points.slice(first, first + inASegment);
    const { startMs, endMs } = packPoints(some);
    segments.push({ from: startMs, to: endMs, body: segmentOf(some) });
  }
  return {
    async *unread({ startMs, endMs }, budget) {
      const found = segments.filter(({ from, to }) => to >= startMs && from < endMs);
      budget.expect(found.reduce((sum, { body }) => sum + body.length, 0));
      for (const { body } of found) {
        budget.spend(body.length);
        yield body;
      }
    },
    freshPlaces: async () => new Set(),
    async *chunks() {},
    async *rollups() {},
  };
}

const shown = ({ series }: Answer) =>
  [...series]
    .sort(([a], [b]) => a - b)
    .map(([id, columns]) => [
      id,
      Array.from({ length: columns.count }, (_, at) => [columns.timeAt(at), columns.valueAt(at)]),
    ]);

test("a span read in parts answers the same as one read at once", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(
          fc.integer({ min: 1, max: 3 }),
          fc.integer({ min: 0, max: 1000 }),
          fc.integer({ min: 0, max: 99 }),
        ),
        { minLength: 1, maxLength: 60 },
      ),
      fc.constantFrom(undefined, 1, 7, 50),
      fc.tuple(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 1, max: 600 })),
      async (points, ms, [startMs, length]) => {
        const view = viewOf(points);
        const step = ms === undefined ? ms : { ms, aggregation: Aggregation.SUM, quantile: 0 };
        const span = { startMs, endMs: startMs + length };
        const query = { seriesIds: new Set([1, 3]), span, step, isGauge: false, kept };
        const whole = await readRange(view, query, SHOWN, makeBudget(""));
        // Several may be at one moment.
        const inParts = await readRange(view, query, holding(40), makeBudget("")).catch((error) => {
          t.true(error instanceof TooMuch, String(error));
          return whole;
        });
        t.deepEqual(shown(inParts), shown(whole));
      },
    ),
    { numRuns: 200 },
  );
});

test("a million points are an answer, and one more is too much", async (t) => {
  const points = Array.from({ length: 1_000_001 }, (_, at): TestPoint => [1, at, at]);
  const view = viewOf(points, 100_000);
  const ask = (endMs: number) =>
    readRange(
      view,
      {
        seriesIds: new Set([1]),
        span: { startMs: 0, endMs },
        step: undefined,
        isGauge: false,
        kept,
      },
      SHOWN,
      makeBudget(""),
    );
  t.is((await ask(1_000_000)).series.get(1)?.count, 1_000_000);
  await t.throwsAsync(ask(1_000_001), { instanceOf: TooMuch, message: /1000000 points/ });
});

test("a query that would read too many bytes is refused, with advice", async (t) => {
  const view = viewOf(Array.from({ length: 100 }, (_, at) => [1, at, at]));
  const query = {
    seriesIds: new Set([1]),
    span: { startMs: 0, endMs: 100 },
    step: undefined,
    isGauge: false,
    kept,
  };
  const expected = { instanceOf: TooMuch, message: "too much was measured in that span; sit down" };
  await t.throwsAsync(
    readRange(view, query, SHOWN, makeBudget("sit down", { span: 500, all: 10_000 })),
    expected,
  );
  await t.throwsAsync(
    readRange(view, query, holding(10), makeBudget("sit down", { span: 5_000, all: 3_000 })),
    expected,
  );
});
