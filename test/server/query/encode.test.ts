import {
  create,
  fromBinary,
  fromJson,
  type JsonValue,
  type MessageInitShape,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import test from "ava";
import fc from "fast-check";
import {
  type TimeSeries,
  TimeSeriesSchema,
} from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import {
  QueryRangeRequest_Aggregation as Aggregation,
  Grouping_Operation as Grouping,
  MetricQueryService,
  type QueryRangeRequestSchema,
  QueryRangeResponseSchema,
} from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import { makeColumns } from "../../../server/query/columns.ts";
import { encodeSeries, giveSeries, toPoint, toSeries } from "../../../server/query/encode.ts";
import { addSender, seriesOf, shown } from "../../support/points.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";
import type { TransportOptions } from "../../support/transports.ts";

let server: TestServer;
let owner: Owner;
/** A full hour, two days ago. */
const start = Math.floor(Date.now() / 3_600_000 - 48) * 3_600_000;

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  const { metrics } = await addSender(server, owner.token, { site: "größer ✓" });
  await metrics.writeMetrics({
    series: [
      seriesOf("answered", {}, [start, 0], [start + 1, 1e300], [start + 2, 5e-324]),
      seriesOf("answered", { host: "é".repeat(70), b: "2" }, [start + 999, -1.5]),
      seriesOf(
        "answered",
        { host: "long" },
        ...Array.from({ length: 3000 }, (_, at): [number, number] => [start + at * 1000, at / 7]),
      ),
    ],
  });
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom("", "a", "x".repeat(127), "x".repeat(128), "ü".repeat(64), "y".repeat(1024)),
);
const anyMs = fc.oneof(
  fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }),
  fc.constantFrom(0, 1, -1, 999, 1000, -1000, 127_000, 128_000, 2 ** 31 * 1000, 2 ** 32 * 1000),
  fc.integer({ min: 0, max: 2_000_000_000 }).map((seconds) => seconds * 1000),
);
const anyValue = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(0, -0, Number.NaN, Infinity));
const anySeries = fc.record({
  metric: anyText,
  labels: fc.dictionary(anyText, anyText, { maxKeys: 5 }),
  points: fc.array(fc.tuple(anyMs, anyValue), { maxLength: 30 }),
  cut: fc.tuple(fc.nat(30), fc.nat(30)),
});

test("a series is encoded by hand to the bytes that protobuf-es makes of it", (t) => {
  fc.assert(
    fc.property(anySeries, ({ metric, labels, points, cut }) => {
      const columns = makeColumns(0);
      for (const [ms, value] of points) columns.add(ms, value);
      const [from = 0, to = 0] = cut.map((at) => Math.min(at, points.length)).sort((a, b) => a - b);
      const message = toSeries(
        metric,
        labels,
        points.slice(from, to).map(([ms, value]) => toPoint(ms, value)),
      );
      const response = create(QueryRangeResponseSchema, { series: [message] });
      const given = giveSeries(
        create(QueryRangeResponseSchema),
        QueryRangeResponseSchema.field.series.number,
        [{ metric, labels, points: columns, from, to }],
        { requestHeader: new Headers({ "content-type": "application/proto" }) },
      );
      t.deepEqual(
        Buffer.from(toBinary(QueryRangeResponseSchema, given)),
        Buffer.from(toBinary(QueryRangeResponseSchema, response)),
      );
    }),
    { numRuns: 1000 },
  );
});

test("a long series is encoded whole", (t) => {
  const columns = makeColumns();
  for (let at = 0; at < 200_000; at += 1) columns.add(start + at, at);
  const bytes = encodeSeries({ metric: "m", labels: {}, points: columns, from: 0, to: 200_000 });
  // After its length, which takes four bytes.
  t.true(bytes.length > 2 ** 21);
  const { points } = fromBinary(TimeSeriesSchema, bytes.subarray(4));
  t.is(points.length, 200_000);
  t.deepEqual(points.at(-1), toPoint(start + 199_999, 199_999));
});

const FORMS: Record<string, TransportOptions> = {
  "Connect with JSON": { json: true },
  "Connect in binary form": {},
  "Connect over HTTP/1.1": { httpVersion: "1.1" },
  gRPC: { protocol: "grpc" },
  "gRPC with JSON": { protocol: "grpc", json: true },
  "gRPC-Web": { protocol: "grpc-web" },
  "gRPC-Web with JSON": { protocol: "grpc-web", json: true },
};

function* clients(): Generator<[form: string, transport: Transport]> {
  const { token } = owner;
  for (const [form, options] of Object.entries(FORMS)) {
    yield [form, server.transport({ token, ...options })];
  }
  for (const useBinaryFormat of [true, false]) {
    yield [
      `GET, ${useBinaryFormat ? "in binary form" : "with JSON"}`,
      createConnectTransport({
        baseUrl: server.url,
        httpVersion: "1.1",
        nodeOptions: { ca: server.ca },
        useHttpGet: true,
        useBinaryFormat,
        interceptors: [
          (next) => (request) => {
            request.header.set("authorization", `Bearer ${token}`);
            return next(request);
          },
        ],
      }),
    ];
  }
}

const span = { startTime: timestampFromMs(start), endTime: timestampFromMs(start + 3_600_000) };
const step = { seconds: 7n };
const QUERIES: [what: string, query: MessageInitShape<typeof QueryRangeRequestSchema>][] = [
  ["as they are", { metric: "answered", ...span }],
  ["in steps", { metric: "answered", ...span, step, aggregation: Aggregation.AVERAGE }],
  ["of no metric", { metric: "nobody", ...span }],
  [
    "of no series",
    {
      metric: "answered",
      ...span,
      endTime: timestampFromMs(start - 1),
      startTime: timestampFromMs(start - 9),
    },
  ],
  [
    "combined",
    { metric: "answered", ...span, step, grouping: { operation: Grouping.SUM, labels: ["site"] } },
  ],
];

for (const [what, query] of QUERIES) {
  test(`points ${what} are the same in all forms of all protocols`, async (t) => {
    const answers = [];
    for (const [form, transport] of clients()) {
      const client = createClient(MetricQueryService, transport);
      const answer = await client.queryRange(query);
      t.is(answer.$unknown, undefined, form);
      answers.push([form, toJson(QueryRangeResponseSchema, answer)]);
      if (query.grouping || form.startsWith("GET")) continue;
      const streamed: TimeSeries[] = [];
      for await (const { series } of client.streamRange({ query })) streamed.push(...series);
      t.deepEqual(streamed, answer.series, form);
    }
    const [, first] = answers[0] ?? [];
    for (const [form, answer] of answers) t.deepEqual(answer, first, String(form));
    if (what === "as they are") {
      const { series } = fromJson(QueryRangeResponseSchema, first as JsonValue);
      t.deepEqual(
        series.map(({ points }) => points.length),
        [3, 1, 3000],
      );
      t.deepEqual(shown(series[1] as TimeSeries), {
        labels: { host: "é".repeat(70), b: "2", site: "größer ✓" },
        points: [[start + 999, -1.5]],
      });
    }
  });
}
