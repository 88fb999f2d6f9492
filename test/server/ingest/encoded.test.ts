import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import test from "ava";
import fc from "fast-check";
import {
  type WriteMetricsRequest,
  WriteMetricsRequestSchema,
} from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import {
  findPoints,
  makePointReader,
  readName,
  readRequest,
} from "../../../server/ingest/encoded.ts";
import { checkWhole, NO_TIME, timeMs } from "../../../server/ingest/rules.ts";
import { seriesOf } from "../../support/points.ts";
import { encodedRequests } from "../../support/wire.ts";

const points = makePointReader();
const now = Date.now();

/** What the one-pass reader makes of a body; undefined when it leaves it to the general decoder. */
function readInOnePass(bytes: Buffer) {
  const request = readRequest(bytes);
  if (!request) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const series = [];
  for (let index = 0; index < request.series.length; index += 2) {
    const [start = 0, end = 0] = request.series.slice(index, index + 2);
    const nameEnd = findPoints(bytes, start, end);
    if (nameEnd < 0 || !points.read(bytes, view, nameEnd, end)) return undefined;
    const name = readName(bytes, start, nameEnd);
    if (!name) return undefined;
    series.push({
      metric: name.metric,
      labels: { ...name.labels },
      times: [...points.times.subarray(0, points.count)],
      values: [...points.values.subarray(0, points.count)],
    });
  }
  return { ...request, series };
}

function decode(bytes: Buffer): WriteMetricsRequest | undefined {
  try {
    return fromBinary(WriteMetricsRequestSchema, bytes, { readUnknownFields: false });
  } catch {
    return undefined;
  }
}

/** The same of the general decoder's message. */
function shown({ batchId, clockOffset, metadata, series }: WriteMetricsRequest) {
  return {
    batchId,
    clockOffset,
    metadata,
    series: series.map(({ metric, labels, points: given }) => ({
      metric,
      labels: { ...labels },
      times: given.map(({ time }) => (time ? timeMs(Number(time.seconds), time.nanos) : NO_TIME)),
      values: given.map(({ value }) => value),
    })),
  };
}

test("what can be read in one pass is what the general decoder reads, down to the last bit", (t) => {
  let read = 0;
  let left = 0;
  fc.assert(
    fc.property(encodedRequests(now), (bytes) => {
      const inOnePass = readInOnePass(bytes);
      if (!inOnePass) {
        left += 1;
        return;
      }
      read += 1;
      const message = decode(bytes);
      if (!message) throw new Error("read in one pass what is malformed");
      t.deepEqual(inOnePass, shown(message));
    }),
    { numRuns: 2500 },
  );
  t.log(`${read} read in one pass, ${left} left to the general decoder`);
  t.true(read > 500 && left > 500);
});

test("what was left to the general decoder can be read in its plain form", (t) => {
  let count = 0;
  fc.assert(
    fc.property(encodedRequests(now), (bytes) => {
      const message = decode(bytes);
      if (!message || readInOnePass(bytes) || checkWhole(message, 0, 0)) return;
      count += 1;
      const plain = Buffer.from(toBinary(WriteMetricsRequestSchema, message));
      t.deepEqual(readInOnePass(plain), shown(message));
    }),
    { numRuns: 2500 },
  );
  t.true(count > 50);
});

test("what encoders write is read in one pass", (t) => {
  const text = fc.string({ unit: "grapheme", maxLength: 300 });
  const time = fc.record({
    seconds: fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.bigInt({ min: 2n ** 20n, max: 2n ** 29n }),
      fc.bigInt({ min: 2n ** 28n, max: 2n ** 36n }),
    ),
    nanos: fc.oneof(fc.integer(), fc.integer({ min: 0, max: 999_999_999 }), fc.constant(0)),
  });
  const value = fc.oneof(fc.double(), fc.constant(0));
  const request = fc.record({
    batchId: fc.constantFrom("", "a-1", "x".repeat(128)),
    series: fc.array(
      fc.record({
        metric: text,
        labels: fc.dictionary(text, text, { maxKeys: 5 }),
        points: fc.array(fc.oneof(fc.record({ time, value }), fc.constant({ value: 0 })), {
          maxLength: 20,
        }),
      }),
      { maxLength: 5 },
    ),
    metadata: fc.array(fc.record({ metric: text, unit: text, description: text }), {
      maxLength: 3,
    }),
    clockOffset: fc.record({ seconds: fc.constantFrom(0n, -5n, 5n), nanos: fc.constant(0) }),
  });
  fc.assert(
    fc.property(request, (given) => {
      const message = create(WriteMetricsRequestSchema, given);
      const bytes = Buffer.from(toBinary(WriteMetricsRequestSchema, message));
      t.deepEqual(readInOnePass(bytes), shown(fromBinary(WriteMetricsRequestSchema, bytes)));
    }),
    { numRuns: 500 },
  );
});

/** A request of one series with one point, in hexadecimal: less than 128 bytes of it. */
function requestOf(point: string): Buffer {
  const bytes = Buffer.from(point, "hex");
  const series = Buffer.from([0x0a, 1, 0x6d, 0x1a, bytes.length, ...bytes]);
  return Buffer.from([0x12, series.length, ...series]);
}

test("what nearly looks like a usual point is not taken for one", (t) => {
  const time = "0a060880e0a6d506";
  for (const [point, why] of [
    [`${time}11000000000000f03f`, "a usual one"],
    [time, "a usual one, of zero"],
    [`${time}51000000000000f03f`, "an unknown field of eight bytes in place of the value"],
    [`${time}620700000000000000`, "an unknown field of seven bytes in place of the value"],
    ["0a060880e0a6d586", "seconds that do not end"],
    ["0a0808808080808010", "seconds of six bytes"],
    ["0a080880808080801005", "seconds of six bytes that look like nanoseconds"],
    ["0a100880e0a6d50610808080808080808001", "nanoseconds beyond 32 bits"],
    ["0a0c0880e0a6d506108080808008", "nanoseconds of exactly 32 bits"],
    ["62060880e0a6d506", "an unknown field in the form of a time"],
    ["0a0808ffffff7f10e807", "seconds of four bytes before nanoseconds"],
    ["0a0608ffffff7f10", "seconds of four bytes before nanoseconds that are missing"],
    [`${time}${time}`, "two times"],
    [`11000000000000f03f${time}`, "a value before its time"],
  ] as const) {
    const bytes = requestOf(point);
    const inOnePass = readInOnePass(bytes);
    const message = decode(bytes);
    if (inOnePass) t.deepEqual(inOnePass, message && shown(message), why);
    if (point.startsWith(time) && why.startsWith("a usual one")) t.truthy(inOnePass, why);
  }
});

test("as many points as a request may have fit into the columns of one series", (t) => {
  const given = Array.from({ length: 100_000 }, (_, at): [number, number] => [now + at, at]);
  const message = create(WriteMetricsRequestSchema, { series: [seriesOf("many", {}, ...given)] });
  const [series] =
    readInOnePass(Buffer.from(toBinary(WriteMetricsRequestSchema, message)))?.series ?? [];
  t.deepEqual(
    series?.times,
    given.map(([ms]) => ms),
  );
  t.deepEqual(
    series?.values,
    given.map(([, value]) => value),
  );
});
