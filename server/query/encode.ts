import type { Message, UnknownField } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { Point, TimeSeries } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import type { Columns } from "./columns.ts";

/** Some points of a series, from one of its columns' indexes up to but without another. */
export interface AnsweredSeries {
  metric: string;
  labels: Record<string, string>;
  points: Columns;
  from: number;
  to: number;
}

/** Content types of bodies in protobuf's own form, in all protocols. */
const BINARY = /^application\/(proto|connect\+proto|grpc(-web)?(\+proto)?)$/;

/**
 * Puts series into an answer. One that leaves in binary form gets them encoded, as fields that the
 * encoder takes as they are: an object for each point would cost more than all the rest.
 */
export function giveSeries<Answer extends Message & { series: TimeSeries[] }>(
  answer: Answer,
  field: number,
  series: readonly AnsweredSeries[],
  { requestHeader }: Pick<HandlerContext, "requestHeader">,
): Answer {
  if (!BINARY.test(requestHeader.get("content-type") ?? "")) {
    answer.series = series.map(({ metric, labels, points, from, to }) =>
      toSeries(
        metric,
        labels,
        Array.from({ length: to - from }, (_, at) =>
          toPoint(points.timeAt(from + at), points.valueAt(from + at)),
        ),
      ),
    );
  } else {
    answer.$unknown = series.map(
      (one): UnknownField => ({ no: field, wireType: DELIMITED, data: encodeSeries(one) }),
    );
  }
  return answer;
}

/** A message as it is, without the checks of `create`: there may be a million of them. */
export function toPoint(ms: number, value: number): Point {
  const second = Math.floor(ms / 1000);
  return {
    $typeName: "lumetry.ingest.v1.Point",
    time: {
      $typeName: "google.protobuf.Timestamp",
      seconds: BigInt(second),
      nanos: (ms - second * 1000) * 1_000_000,
    },
    value,
  };
}

export const toSeries = (
  metric: string,
  labels: Record<string, string>,
  points: Point[],
): TimeSeries => ({
  $typeName: "lumetry.ingest.v1.TimeSeries",
  metric,
  labels,
  points,
});

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const tag = (field: number, wireType: number) => (field << 3) | wireType;

const METRIC = tag(1, DELIMITED);
const LABELS = tag(2, DELIMITED);
const POINTS = tag(3, DELIMITED);
const KEY = tag(1, DELIMITED);
const TEXT = tag(2, DELIMITED);
const TIME = tag(1, DELIMITED);
const VALUE = tag(2, FIXED64);
const SECONDS = tag(1, VARINT);
const NANOS = tag(2, VARINT);

const MOST_LENGTH_BYTES = 5;
/** Tags, lengths, ten bytes of seconds, five of nanoseconds and eight of the value. */
const MOST_POINT_BYTES = 4 + 11 + 6 + 9;

/** A TimeSeries as protobuf-es encodes it, after its length. */
export function encodeSeries({ metric, labels, points, from, to }: AnsweredSeries): Buffer {
  const names: [name: string, value: string, bytes: number][] = Object.entries(labels).map(
    ([name, value]) => [name, value, textBytes(name) + textBytes(value)],
  );
  const nameBytes = names.reduce((sum, [, , bytes]) => sum + 1 + MOST_LENGTH_BYTES + bytes, 0);
  const bytes = Buffer.allocUnsafe(
    MOST_LENGTH_BYTES + textBytes(metric) + nameBytes + (to - from) * MOST_POINT_BYTES,
  );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

  let at = MOST_LENGTH_BYTES;
  if (metric !== "") at = writeText(bytes, at, METRIC, metric);
  for (const [name, value, length] of names) {
    bytes[at++] = LABELS;
    at = writeVarint(bytes, at, length);
    at = writeText(bytes, at, KEY, name);
    at = writeText(bytes, at, TEXT, value);
  }
  for (let index = from; index < to; index += 1) {
    at = writePoint(bytes, view, at, points.timeAt(index), points.valueAt(index));
  }

  const length = at - MOST_LENGTH_BYTES;
  const start = MOST_LENGTH_BYTES - varintBytes(length);
  writeVarint(bytes, start, length);
  return bytes.subarray(start, at);
}

function writePoint(
  bytes: Buffer,
  view: DataView,
  start: number,
  ms: number,
  value: number,
): number {
  const second = Math.floor(ms / 1000);
  const rest = ms - second * 1000;
  // Neither a point nor its time is as long as 128 bytes, so a byte is enough for either length.
  let at = start + 4;
  if (second !== 0) {
    bytes[at++] = SECONDS;
    at = second > 0 ? writeVarint(bytes, at, second) : writeNegative(bytes, at, second);
  }
  if (rest !== 0) {
    bytes[at++] = NANOS;
    at = writeVarint(bytes, at, rest * 1_000_000);
  }
  const timeBytes = at - start - 4;
  if (!Object.is(value, 0)) {
    bytes[at] = VALUE;
    view.setFloat64(at + 1, value, true);
    at += 9;
  }
  bytes[start] = POINTS;
  bytes[start + 1] = at - start - 2;
  bytes[start + 2] = TIME;
  bytes[start + 3] = timeBytes;
  return at;
}

/** What a text takes with its tag and length. */
function textBytes(text: string): number {
  const bytes = Buffer.byteLength(text);
  return 1 + varintBytes(bytes) + bytes;
}

function writeText(bytes: Buffer, at: number, given: number, text: string): number {
  bytes[at] = given;
  const start = writeVarint(bytes, at + 1, Buffer.byteLength(text));
  return start + bytes.write(text, start);
}

function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) count += 1;
  return count;
}

/** A whole number from 0 to 2^53 - 1. */
function writeVarint(bytes: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value;
  // Bitwise operators see 32 bits only.
  while (rest > 0x7fff_ffff) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** A negative int64: ten bytes of its two's complement. */
function writeNegative(bytes: Buffer, start: number, value: number): number {
  let at = start;
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 0x7fn; rest >>= 7n) bytes[at++] = Number(rest & 0x7fn) | 0x80;
  bytes[at++] = Number(rest);
  return at;
}
