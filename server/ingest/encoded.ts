import { fromBinary } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import {
  type MetricMetadata,
  MetricMetadataSchema,
  TimeSeriesSchema,
} from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { isBatchId, NO_TIME, timeMs } from "./rules.ts";

/**
 * Reads an encoded WriteMetricsRequest where it lies, without making an object of each point.
 *
 * It understands what encoders write, unknown fields included, and nothing else: for whatever is
 * malformed or merely odd (groups, fields of another wire type, points before their series's name,
 * messages to be merged) each function answers undefined or -1, and the general decoder has to judge.
 */
export interface EncodedRequest {
  batchId: string;
  clockOffset: Duration | undefined;
  metadata: MetricMetadata[];
  /** Where each series begins and ends: two numbers for each. */
  series: number[];
}

/** The wire types that have a length of their own; the low three bits of a tag. */
const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/** Tags are a byte long for the first fifteen fields. */
const tag = (field: number, wireType: number) => (field << 3) | wireType;
const BATCH_ID = tag(1, DELIMITED);
const SERIES = tag(2, DELIMITED);
const METADATA = tag(3, DELIMITED);
const CLOCK_OFFSET = tag(4, DELIMITED);
const METRIC = tag(1, DELIMITED);
const LABELS = tag(2, DELIMITED);
const POINTS = tag(3, DELIMITED);
const TIME = tag(1, DELIMITED);
const VALUE = tag(2, FIXED64);
const SECONDS = tag(1, VARINT);
const NANOS = tag(2, VARINT);

const MOST_VARINT_BYTES = 10;
const NO_UNKNOWN_FIELDS = { readUnknownFields: false };

/** Where the number ends that was read last, and its lowest 32 bits. */
let after = 0;
let lowest = 0;

/** A length of up to 28 bits; -1 when it is longer, or does not end before `end`. */
function readLength(bytes: Uint8Array, at: number, end: number): number {
  let length = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    if (at >= end) return -1;
    const byte = bytes[at++] as number;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      after = at;
      return length;
    }
  }
  return -1;
}

/** An int64 as the nearest number; undefined when it does not end in time. */
function readInt64(bytes: Uint8Array, at: number, end: number): number | undefined {
  let low = 0;
  let high = 0;
  for (let count = 0; count < MOST_VARINT_BYTES; count += 1) {
    if (at >= end) return undefined;
    const byte = bytes[at++] as number;
    const bits = byte & 0x7f;
    if (count < 4) low |= bits << (7 * count);
    else if (count === 4) {
      low |= bits << 28;
      high = bits >> 4;
    } else high |= bits << (7 * count - 32);
    if (byte < 0x80) {
      after = at;
      lowest = low;
      return high * 0x1_0000_0000 + (low >>> 0);
    }
  }
  return undefined;
}

/** Past a field whose tag begins at `at`; -1 when it is odd, or does not end before `end`. */
function skipField(bytes: Uint8Array, at: number, end: number): number {
  const given = bytes[at] as number;
  if (given < tag(1, VARINT) || given > 0x7f) return -1;
  let next = at + 1;
  switch (given & 7) {
    case VARINT:
      return readInt64(bytes, next, end) === undefined ? -1 : after;
    case FIXED64:
      next += 8;
      break;
    case FIXED32:
      next += 4;
      break;
    case DELIMITED: {
      const length = readLength(bytes, next, end);
      if (length < 0) return -1;
      next = after + length;
      break;
    }
    default:
      return -1;
  }
  return next <= end ? next : -1;
}

/** Reads all but the series. */
export function readRequest(bytes: Buffer): EncodedRequest | undefined {
  const request: EncodedRequest = { batchId: "", clockOffset: undefined, metadata: [], series: [] };
  const end = bytes.length;
  for (let at = 0; at < end; ) {
    const given = bytes[at] as number;
    const next = skipField(bytes, at, end);
    if (next < 0) return undefined;
    if ((given & 7) === DELIMITED) {
      const length = readLength(bytes, at + 1, end);
      if (!readField(request, given, bytes, next - length, next)) return undefined;
    } else if (given >> 3 <= CLOCK_OFFSET >> 3) return undefined;
    at = next;
  }
  return request;
}

function readField(
  request: EncodedRequest,
  given: number,
  bytes: Buffer,
  start: number,
  end: number,
): boolean {
  if (given === SERIES) request.series.push(start, end);
  else if (given === BATCH_ID) {
    request.batchId = bytes.toString("latin1", start, end);
    return isBatchId(request.batchId);
  } else if (given === METADATA) {
    const entry = decode(() =>
      fromBinary(MetricMetadataSchema, bytes.subarray(start, end), NO_UNKNOWN_FIELDS),
    );
    if (!entry) return false;
    request.metadata.push(entry);
  } else if (given === CLOCK_OFFSET) {
    if (request.clockOffset) return false;
    request.clockOffset = decode(() =>
      fromBinary(DurationSchema, bytes.subarray(start, end), NO_UNKNOWN_FIELDS),
    );
    return request.clockOffset !== undefined;
  }
  return true;
}

function decode<Message>(read: () => Message): Message | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/**
 * Where the metric and the labels of a series end, and its points begin. The same bytes always name
 * the same series.
 */
export function findPoints(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const given = bytes[at] as number;
    if (given === POINTS) return at;
    if (given !== METRIC && given !== LABELS && given >> 3 <= POINTS >> 3) return -1;
    at = skipField(bytes, at, end);
    if (at < 0) return -1;
  }
  return end;
}

/** What the bytes up to the points of a series say. */
export function readName(
  bytes: Buffer,
  start: number,
  end: number,
): { metric: string; labels: Readonly<Record<string, string>> } | undefined {
  return decode(() => fromBinary(TimeSeriesSchema, bytes.subarray(start, end), NO_UNKNOWN_FIELDS));
}

/** The points of one series, in columns that are used again for the next. */
export interface PointReader {
  readonly count: number;
  /** Milliseconds since 1970, as `pointProblem` takes them. */
  readonly times: Float64Array;
  readonly values: Float64Array;
  /** Reads a series from where its points begin, by a view of the same bytes; false when it is odd. */
  read(bytes: Buffer, view: DataView, start: number, end: number): boolean;
}

export function makePointReader(): PointReader {
  let count = 0;
  let times = new Float64Array(1024);
  let values = new Float64Array(1024);

  const grow = () => {
    const more = new Float64Array(times.length * 2);
    more.set(times);
    times = more;
    const moreValues = new Float64Array(values.length * 2);
    moreValues.set(values);
    values = moreValues;
  };

  /** Any point that is not odd. */
  const readPoint = (bytes: Buffer, view: DataView, start: number, end: number): boolean => {
    let ms = NO_TIME;
    let hasTime = false;
    let value = 0;
    let at = start;
    while (at < end) {
      const given = bytes[at] as number;
      if (given === VALUE) {
        if (at + 9 > end) return false;
        value = view.getFloat64(at + 1, true);
        at += 9;
      } else if (given === TIME) {
        const length = readLength(bytes, at + 1, end);
        if (hasTime || length < 0 || after + length > end) return false;
        at = after + length;
        ms = readTime(bytes, after, at);
        if (ms === -Infinity) return false;
        hasTime = true;
      } else {
        if (given >> 3 <= VALUE >> 3) return false;
        at = skipField(bytes, at, end);
        if (at < 0) return false;
      }
    }
    times[count] = ms;
    values[count] = value;
    return true;
  };

  return {
    get count() {
      return count;
    },
    get times() {
      return times;
    },
    get values() {
      return values;
    },
    read(bytes, view, start, end) {
      count = 0;
      for (let at = start; at < end; ) {
        if (bytes[at] !== POINTS) return false;
        const length = readLength(bytes, at + 1, end);
        if (length < 0 || after + length > end) return false;
        if (count === times.length) grow();
        const from = after;
        at = from + length;
        const ms = readUsualTime(bytes, from, at);
        const valueAt = after;
        // Encoders leave a zero out.
        const isZero = valueAt === at;
        if (ms >= 0 && (isZero || (valueAt === at - 9 && bytes[valueAt] === VALUE))) {
          times[count] = ms;
          values[count] = isZero ? 0 : view.getFloat64(valueAt + 1, true);
        } else if (!readPoint(bytes, view, from, at)) return false;
        count += 1;
      }
      return true;
    },
  };
}

/**
 * The time that a point begins with, as encoders write those from 1978 to 3058: five bytes of seconds,
 * and nanoseconds unless they are zero; it ends at `after`. -1 when it is written otherwise: then
 * `readPoint` has to look.
 */
function readUsualTime(bytes: Uint8Array, start: number, end: number): number {
  const length = bytes[start + 1] as number;
  const timeEnd = start + 2 + length;
  if (bytes[start] !== TIME || length < 6 || timeEnd > end || bytes[start + 2] !== SECONDS) {
    return -1;
  }
  const low = bytes[start + 3] as number;
  const second = bytes[start + 4] as number;
  const third = bytes[start + 5] as number;
  const fourth = bytes[start + 6] as number;
  const high = bytes[start + 7] as number;
  if ((low & second & third & fourth) < 0x80 || high >= 0x80) return -1;
  const lowBits =
    (low & 0x7f) | ((second & 0x7f) << 7) | ((third & 0x7f) << 14) | ((fourth & 0x7f) << 21);
  let nanos = 0;
  if (length > 6) {
    if (bytes[start + 8] !== NANOS) return -1;
    let at = start + 9;
    for (let shift = 0; ; shift += 7) {
      if (at === timeEnd || shift > 28) return -1;
      const byte = bytes[at++] as number;
      nanos |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if (at !== timeEnd) return -1;
  }
  after = timeEnd;
  return timeMs(high * 0x1000_0000 + lowBits, nanos);
}

/** A Timestamp as `timeMs` has it; -Infinity when it is odd. */
function readTime(bytes: Uint8Array, start: number, end: number): number {
  let seconds = 0;
  let nanos = 0;
  let at = start;
  while (at < end) {
    const given = bytes[at] as number;
    if (given === SECONDS || given === NANOS) {
      const number = readInt64(bytes, at + 1, end);
      if (number === undefined) return -Infinity;
      if (given === SECONDS) seconds = number;
      else nanos = lowest;
      at = after;
    } else {
      if (given >> 3 <= NANOS >> 3) return -Infinity;
      at = skipField(bytes, at, end);
      if (at < 0) return -Infinity;
    }
  }
  return timeMs(seconds, nanos);
}
