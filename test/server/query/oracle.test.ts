import assert from "node:assert/strict";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import test from "ava";
import fc from "fast-check";
import {
  QueryRangeRequest_Aggregation as Aggregation,
  MetricQueryService,
} from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import { systemClock } from "../../../lib/clock.ts";
import { silentLog } from "../../../lib/log.ts";
import { makePackingThread } from "../../../server/chunks/packing-thread.ts";
import { chunkReader } from "../../../server/chunks/reader.ts";
import { connectDatabase, type DatabaseConnection } from "../../../server/db/database.ts";
import { addSender, seriesOf, shown, type TestSender } from "../../support/points.ts";
import { readNow } from "../../support/reader-turn.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let other: TestServer;
let owner: Owner;
let senders: TestSender[];
let connection: DatabaseConnection;
const packing = makePackingThread();

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  other = await startTestServer({ databaseUrl: server.databaseUrl });
  connection = connectDatabase({ url: server.databaseUrl }, { log: silentLog, connections: 4 });
  const one = await addSender(server, owner.token);
  senders = [one, { ...one, metrics: (await addSender(other, owner.token)).metrics }];
});
test.after.always(async () => {
  await packing[Symbol.asyncDispose]();
  await connection?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const thisHour = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 20 * 86_400_000;
/** What times are told from: at any hour of the day, since days end at midnight. */
let base = thisHour;
const HOST = ["a", "b", "c"];

interface Write {
  batchId: string;
  through: number;
  series: { host: string; points: [ms: number, value: number][] }[];
}
interface Ask {
  from: number;
  length: number;
  step: number;
  aggregation: Aggregation;
  quantile: number;
}
/** What happens to what was written, behind the scenes. */
type Upkeep = "nothing" | "read" | "merge" | "settle";

/** Moves what is in the log to chunks, merges them, or settles days and makes their roll-ups. */
async function upkeep(what: Upkeep): Promise<void> {
  if (what === "nothing") return;
  const never = Number.MAX_SAFE_INTEGER;
  const reader = chunkReader({
    db: connection.db,
    packing,
    log: silentLog,
    clock: systemClock,
    retentionMs: 30 * 86_400_000,
    patience: { ms: -60_000, bytes: 0 },
    compaction: {
      fanIn: what === "read" ? never : 2,
      graceMs: what === "settle" ? 0 : never,
      quietMs: -60_000,
    },
  });
  await readNow(reader, connection);
}

// Most points near each other, some hours or days off: narrow segments and wide ones.
const anyMs = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 60 }).map((at) => at * 1000) },
  { weight: 2, arbitrary: fc.integer({ min: -200, max: 200 }).map((at) => at * 60_000) },
  { weight: 1, arbitrary: fc.integer({ min: -5, max: 15 }).map((at) => at * 86_400_000) },
);
const anyPoint = fc.tuple(anyMs, fc.integer({ min: -1000, max: 1000 }));
const anyUpkeep = fc.constantFrom<Upkeep>("nothing", "nothing", "read", "read", "merge", "settle");
const anyWrite: fc.Arbitrary<Write & { afterwards: Upkeep }> = fc.record({
  afterwards: anyUpkeep,
  // Few names, so that some batches are repeats, of the same or of something else.
  batchId: fc.oneof(fc.constant(""), fc.integer({ min: 0, max: 12 }).map(String)),
  through: fc.nat(1),
  series: fc.array(
    fc.record({
      host: fc.constantFrom(...HOST),
      points: fc.array(anyPoint, { maxLength: 8 }),
    }),
    { maxLength: 4 },
  ),
});
const settledWrite = { afterwards: "settle", batchId: "", through: 0 } as const;
const anyAsk: fc.Arbitrary<Ask> = fc.record({
  from: anyMs,
  length: fc.oneof(fc.integer({ min: 1, max: 90_000 }), fc.integer({ min: 1, max: 864_000_000 })),
  step: fc.constantFrom(0, 0, 1, 7, 60, 300, 900, 3600, 7200, 86_400),
  quantile: fc.constantFrom(0, 0.25, 0.5, 1),
  aggregation: fc.constantFrom(
    Aggregation.MINIMUM,
    Aggregation.MAXIMUM,
    Aggregation.SUM,
    Aggregation.COUNT,
    Aggregation.LAST,
    Aggregation.AVERAGE,
    Aggregation.INCREASE,
    Aggregation.RATE,
    Aggregation.QUANTILE,
  ),
});

/** What the contract says, written as plainly as can be. */
class Oracle {
  readonly known = new Map<string, number>();
  readonly points = new Map<string, Map<number, number>>();

  write({ batchId, through, series }: Write): number {
    const key = `${through}/${batchId}`;
    const first = this.known.get(key);
    if (batchId !== "" && first !== undefined) return first;
    let accepted = 0;
    for (const { host, points } of series) {
      for (const [ms, value] of points) {
        const kept = this.points.get(host) ?? new Map<number, number>();
        this.points.set(host, kept);
        if (!kept.has(base + ms)) kept.set(base + ms, value);
        accepted += 1;
      }
    }
    this.known.set(key, accepted);
    return accepted;
  }

  ask(ask: Ask): [host: string, points: [number, number][]][] {
    const answer: [string, [number, number][]][] = [];
    for (const host of HOST) {
      const all = [...(this.points.get(host) ?? [])].sort(([a], [b]) => a - b);
      const points = this.#answer(all, ask);
      if (points.length > 0) answer.push([host, points]);
    }
    return answer;
  }

  #answer(all: [number, number][], { from, length, step, aggregation, quantile }: Ask) {
    const inSpan = ([ms]: [number, ...unknown[]]) => ms >= base + from && ms < base + from + length;
    if (step === 0) return all.filter(inSpan);
    const startOf = ([ms]: [number, ...unknown[]]) => Math.floor(ms / step / 1000) * step * 1000;
    if (aggregation !== Aggregation.INCREASE && aggregation !== Aggregation.RATE) {
      return Array.from(
        Map.groupBy(all.filter(inSpan), startOf),
        ([ms, group]): [number, number] => [
          ms,
          combine(
            group.map(([, value]) => value),
            aggregation,
            quantile,
          ),
        ],
      );
    }
    const pairs = all
      .slice(1)
      .map(([ms, value], index): [number, number, number] => {
        const [before, valueBefore] = all[index] as [number, number];
        return [ms, ms - before, value >= valueBefore ? value - valueBefore : value];
      })
      .filter(([, apart]) => apart <= Math.max(300_000, step * 1000));
    return Array.from(
      Map.groupBy(pairs.filter(inSpan), startOf),
      ([ms, group]): [number, number] => {
        const growth = group.reduce((sum, [, , grown]) => sum + grown, 0);
        const apart = group.reduce((sum, [, each]) => sum + each, 0);
        return [ms, aggregation === Aggregation.RATE ? (growth / apart) * 1000 : growth];
      },
    );
  }
}

function combine(values: number[], aggregation: Aggregation, quantile: number): number {
  const sum = values.reduce((total, value) => total + value, 0);
  switch (aggregation) {
    case Aggregation.MINIMUM:
      return Math.min(...values);
    case Aggregation.MAXIMUM:
      return Math.max(...values);
    case Aggregation.SUM:
      return sum;
    case Aggregation.COUNT:
      return values.length;
    case Aggregation.LAST:
      return values.at(-1) ?? Number.NaN;
    case Aggregation.QUANTILE: {
      const sorted = values.toSorted((a, b) => a - b);
      const place = quantile * (values.length - 1);
      const [low, high] = [sorted[Math.floor(place)] ?? 0, sorted[Math.ceil(place)] ?? 0];
      const share = place - Math.floor(place);
      return low * (1 - share) + high * share;
    }
    default:
      return sum / values.length;
  }
}

test("whatever is written over two servers, and wherever it is kept by now, queries answer what a simple model says", async (t) => {
  t.timeout(300_000);
  let run = 0;
  let rolledUp = 0;
  /** What points were in at some time, so that it is known to have been asked. */
  const kept = { settled: false, fresh: false };
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyWrite, { minLength: 1, maxLength: 15 }),
      fc.array(anyAsk, { minLength: 1, maxLength: 6 }),
      fc.nat(23),
      async (writes, asks, hours) => {
        run += 1;
        base = thisHour - hours * 3_600_000;
        const metric = `oracle_${run}`;
        const oracle = new Oracle();
        for (const write of writes) {
          const { metrics } = senders[write.through] as TestSender;
          const { acceptedPoints } = await metrics.writeMetrics({
            batchId: write.batchId && `${run}-${write.batchId}`,
            series: write.series.map(({ host, points }) =>
              seriesOf(
                metric,
                { host },
                ...points.map(([ms, value]): [number, number] => [base + ms, value]),
              ),
            ),
          });
          assert.equal(Number(acceptedPoints), oracle.write(write));
          await upkeep(write.afterwards);
          const [found] = await server.sql<typeof kept>(
            "select exists (select 1 from chunks) as settled, exists (select 1 from fresh_chunks) as fresh",
          );
          kept.settled ||= found?.settled === true;
          kept.fresh ||= found?.fresh === true;
        }
        for (const [index, ask] of asks.entries()) {
          const at = index % 2 === 0 ? server : other;
          const { series, resolution } = await at
            .client(MetricQueryService, owner.token)
            .queryRange({
              metric,
              startTime: timestampFromMs(base + ask.from),
              endTime: timestampFromMs(base + ask.from + ask.length),
              aggregation: ask.aggregation,
              quantile: ask.quantile,
              ...(ask.step > 0 && { step: { seconds: BigInt(ask.step) } }),
            });
          if (resolution) rolledUp += 1;
          const answered = series
            .map(shown)
            .map(({ labels, points }): [string, unknown] => [labels.host ?? "", points])
            .sort(([a], [b]) => (a < b ? -1 : 1));
          // Thrown, so that what is told of a failure is the smallest case of it.
          assert.deepEqual(answered, oracle.ask(ask));
        }
      },
    ),
    {
      numRuns: 12,
      examples: [
        // Days that lie within the answer are read as they were rolled up.
        [
          [
            {
              ...settledWrite,
              series: [
                {
                  host: "a",
                  points: [0, 1, 2].map((day): [number, number] => [day * 86_400_000, day]),
                },
              ],
            },
          ],
          [
            {
              from: 0,
              length: 3 * 86_400_000,
              step: 3600,
              quantile: 0,
              aggregation: Aggregation.AVERAGE,
            },
          ],
          0,
        ],
        // A counter's lead reaches over the whole day in which the answer begins.
        [
          [
            {
              ...settledWrite,
              series: [
                {
                  host: "a",
                  points: [
                    [0, 0],
                    [1000, 5],
                  ],
                },
              ],
            },
          ],
          [
            {
              from: 1000,
              length: 86_399_000,
              step: 86_400,
              quantile: 0,
              aggregation: Aggregation.INCREASE,
            },
          ],
          0,
        ],
      ],
    },
  );
  t.deepEqual(kept, { settled: true, fresh: true });
  t.true(rolledUp > 0);
});
