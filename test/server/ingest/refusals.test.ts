import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import test from "ava";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import { addSender, pointsOf, seriesOf, type TestSender } from "../../support/points.ts";
import { refused } from "../../support/refusal.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;

let server: TestServer;
let owner: Owner;
let sender: TestSender;
const now = Date.now();

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  sender = await addSender(server, owner.token);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const stored = (metric: string) => pointsOf(server, owner.token, metric);

const good: [number, number] = [now, 1];
const labels = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`label_${index}`, "x"]));

test("bad points are named with reasons, a line for each series and reason, and the good are kept", async (t) => {
  const answer = await sender.metrics.writeMetrics({
    series: [
      seriesOf("mixed", { a: "1" }, good, [now + 1, Number.NaN], [now + 2, 2], [now + 3, Infinity]),
      seriesOf("mixed", { a: "2" }, [now, Number.NaN], [now + 1, -Infinity]),
      seriesOf("mixed", { a: "3" }, good),
      seriesOf("9mixed", {}, good, [now + 1, 2]),
      seriesOf("mixed", { a: "4" }, [now - 31 * DAY, 1], good, [now + 11 * MINUTE, 1]),
    ],
  });
  t.is(answer.acceptedPoints, 4n);
  t.is(answer.refusedPoints, 8n);
  t.deepEqual(
    answer.refusals.map(({ seriesIndex, pointIndexes, reason }) => [
      seriesIndex,
      pointIndexes,
      reason,
    ]),
    [
      [0, [1, 3], "not a finite number"],
      [1, [], "not a finite number"],
      [
        3,
        [],
        'its metric\'s name is not made of letters, digits, "_", ":" and ".", or starts with a digit',
      ],
      [4, [0], "older than 30 days"],
      [4, [2], "more than 10 minutes in the future"],
    ],
  );
  t.deepEqual(
    (await stored("mixed")).map(({ labels, points }) => [labels.a, points.length]),
    [
      ["1", 2],
      ["3", 1],
      ["4", 1],
    ],
  );
});

test("times that are none, and times long ago or far ahead, are refused one by one", async (t) => {
  const times: [object | undefined, string][] = [
    [undefined, "no time"],
    [{ seconds: BigInt(now) / 1000n, nanos: -1 }, "not a valid time"],
    [{ seconds: BigInt(now) / 1000n, nanos: 1_000_000_000 }, "not a valid time"],
    [{ seconds: 2n ** 63n - 1n }, "more than 10 minutes in the future"],
    [{ seconds: -(2n ** 63n) }, "older than 30 days"],
    [{ seconds: 0n }, "older than 30 days"],
    [{ seconds: -1n, nanos: 999_999_999 }, "older than 30 days"],
    // seconds, microseconds and nanoseconds where milliseconds were meant, and the other way
    [{ seconds: BigInt(now) }, "more than 10 minutes in the future"],
    [{ seconds: BigInt(now) * 1000n }, "more than 10 minutes in the future"],
    [{ seconds: BigInt(now) / 1_000_000n }, "older than 30 days"],
    [timestampFromMs(now + 10 * 365 * DAY), "more than 10 minutes in the future"],
  ];
  const answer = await sender.metrics.writeMetrics({
    series: times.map(([time]) => ({
      metric: "times",
      points: [
        { value: 1, ...(time && { time }) },
        { time: timestampFromMs(now), value: 1 },
      ],
    })),
  });
  t.deepEqual(
    answer.refusals.map(({ reason }) => reason),
    times.map(([, reason]) => reason),
  );
  t.deepEqual(await stored("times"), [{ labels: {}, points: [[now, 1]] }]);
});

const REFUSED: [what: string, metric: string, labels: Record<string, string>, reason: RegExp][] = [
  ["a series without a name", "", {}, /names no metric/],
  ["a name with a space", "a b", {}, /not made of/],
  ["a name with a hyphen", "a-b", {}, /not made of/],
  ["a name in another alphabet", "größe", {}, /not made of/],
  ["a name that ends in a line break", "a\n", {}, /not made of/],
  ["a name of 256 characters", "a".repeat(256), {}, /more than 255/],
  ["65 labels", "a", labels(65), /65 labels; at most 64/],
  ["an empty label name", "a", { "": "x" }, /the label "" is not made of/],
  ["a label name that starts with a digit", "a", { "1a": "x" }, /starts with a digit/],
  ["a label name of 129 characters", "a", { ["a".repeat(129)]: "x" }, /more than 128 bytes/],
  ["a label of the server's", "a", { "lumetry.collector_id": "x" }, /the server's to set/],
  ["any label of the server's", "a", { "lumetry.": "x" }, /the server's to set/],
  ["a value of 1025 bytes", "a", { a: "x".repeat(1025) }, /more than 1024 bytes/],
  ["a value of 513 two-byte characters", "a", { a: "é".repeat(513) }, /more than 1024 bytes/],
  ["a value with NUL", "a", { a: "x\0y" }, /control characters/],
  ["a value with a line break", "a", { a: "x\ny" }, /control characters/],
  ["a value with a C1 control", "a", { a: "x\u009by" }, /control characters/],
];

for (const [what, metric, given, reason] of REFUSED) {
  test(`${what} is refused and its neighbour is kept`, async (t) => {
    const neighbour = `neighbour.${REFUSED.findIndex(([other]) => other === what)}`;
    const answer = await sender.metrics.writeMetrics({
      series: [seriesOf(metric, given, good, [now + 1, 2]), seriesOf(neighbour, {}, good)],
    });
    t.is(answer.acceptedPoints, 1n);
    t.is(answer.refusedPoints, 2n);
    t.is(answer.refusals.length, 1);
    t.is(answer.refusals[0]?.seriesIndex, 0);
    t.deepEqual(answer.refusals[0]?.pointIndexes, []);
    t.regex(answer.refusals[0]?.reason ?? "", reason);
    t.is((await stored(neighbour)).length, 1);
  });
}

test("a request of too many series or points is told to be split", async (t) => {
  const series = Array.from({ length: 20_001 }, () => ({ metric: "a" }));
  const many = await refused(sender.metrics.writeMetrics({ series }));
  t.like(many, { code: Code.ResourceExhausted, reason: Reason.TOO_LARGE });
  t.regex(many.message, /20001 series .* split it/);
  const points = Array.from({ length: 50_001 }, () => ({}));
  const more = await refused(
    sender.metrics.writeMetrics({
      series: [
        { metric: "a", points },
        { metric: "b", points: points.slice(1) },
      ],
    }),
  );
  t.like(more, { code: Code.ResourceExhausted, reason: Reason.TOO_LARGE });
  t.regex(more.message, /100001 points .* split it/);
});

test("20,000 series and 100,000 points are taken at once", async (t) => {
  const series = Array.from({ length: 20_000 }, (_, index) =>
    seriesOf(
      "many",
      { i: String(index) },
      ...Array.from({ length: 5 }, (_, at) => [now + at, at] as [number, number]),
    ),
  );
  const answer = await sender.metrics.writeMetrics({ series });
  t.is(answer.acceptedPoints, 100_000n);
  const again = await sender.metrics.writeMetrics({ series });
  t.is(again.acceptedPoints, 100_000n);
  const [count] = await server.sql<{ n: number }>(
    "select count(*)::int as n from series where metric = 'many'",
  );
  t.is(count?.n, 20_000);
});

test("a batch id or clock offset that is none is refused with the whole batch", async (t) => {
  const series = [seriesOf("whole", {}, good)];
  for (const batchId of ["x".repeat(129), "a\nb", "ä", "a\0"]) {
    const { code, message } = await refused(sender.metrics.writeMetrics({ series, batchId }));
    t.is(code, Code.InvalidArgument);
    t.regex(message, /batch_id must be at most 128 printable/);
  }
  for (const clockOffset of [
    { seconds: 1n, nanos: -1 },
    { seconds: 400_000_000_000n },
    { nanos: 1_000_000_000 },
  ]) {
    const { code, message } = await refused(sender.metrics.writeMetrics({ series, clockOffset }));
    t.is(code, Code.InvalidArgument);
    t.regex(message, /clock_offset/);
  }
  t.deepEqual(await stored("whole"), []);
});

test("points older than the server keeps are refused by the server's own measure", async (t) => {
  await using brief = await startTestServer({ retention: 36 * 3_600_000 });
  const admin = await setUp(brief);
  const { metrics } = await addSender(brief, admin.token);
  const answer = await metrics.writeMetrics({
    series: [seriesOf("a", {}, [now - 37 * 3_600_000, 1], [now - 35 * 3_600_000, 2])],
  });
  t.is(answer.refusals[0]?.reason, "older than 36 hours");
  t.is(answer.acceptedPoints, 1n);
});
