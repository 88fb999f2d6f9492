import { randomBytes } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { WriteMetricsRequestSchema } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";

/** What is in one request: so many series with so many points each, of one host. */
export interface Shape {
  series: number;
  pointsEach: number;
}

/**
 * An encoded request whose name and times can be moved on where they lie. Times are numbers in
 * seven bits a byte: `(second × perSecond + after)`, in `timeBytes` bytes.
 */
export interface Template {
  bytes: Buffer;
  /** Where its batch id begins, which is `idOf(epoch, host, number)`; undefined when it has none. */
  idAt: number | undefined;
  timeBytes: number;
  perSecond: number;
  times: { at: number; after: number }[];
}

const LABELS = { region: "eu-north-1", os: "linux", device: "eth0", direction: "transmit" };
const SECOND_BYTES = 5;

export const metricOf = (index: number) => `bench.metric_${index % 30}`;
export const labelsOf = (host: string, index: number): Record<string, string> => ({
  ...LABELS,
  host,
  index: String(index),
});
export const randomValue = () => Math.round(Math.random() * 1e6) / 100;

/** Always of one length. `epoch` is eight characters. */
export const idOf = (epoch: string, host: number, number: number) =>
  `${epoch}-${String(host).padStart(4, "0")}-${String(number).padStart(10, "0")}`;

export function varint(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0, rest = value; at < length; at += 1) {
    bytes[at] = (rest % 128) | (at < length - 1 ? 0x80 : 0);
    rest = Math.floor(rest / 128);
  }
  return bytes;
}

function placesOf(needle: Buffer, haystack: Buffer): number[] {
  const places: number[] = [];
  for (let at = haystack.indexOf(needle); at >= 0; at = haystack.indexOf(needle, at + 1)) {
    places.push(at);
  }
  return places;
}

/** A WriteMetricsRequest; the number of its host tells its series from those of others. */
export function writeMetricsTemplate(host: number, { series, pointsEach }: Shape): Template {
  // A second that no other bytes look like: the highest of their number.
  const second = 2 ** 34 - 1;
  const id = idOf("00000000", host, 0);
  const request = create(WriteMetricsRequestSchema, {
    batchId: id,
    series: Array.from({ length: series }, (_, index) => ({
      metric: metricOf(index),
      labels: labelsOf(`host-${host}`, index),
      points: Array.from({ length: pointsEach }, (_, at) => ({
        time: { seconds: BigInt(second), nanos: at * 1_000_000 },
        value: randomValue(),
      })),
    })),
  });
  const bytes = Buffer.from(toBinary(WriteMetricsRequestSchema, request));
  // A time is a message whose first field is its seconds.
  const times = placesOf(Buffer.concat([Buffer.of(0x08), varint(second, SECOND_BYTES)]), bytes);
  if (times.length !== series * pointsEach) throw new Error("a time was not found again");
  return {
    bytes,
    idAt: bytes.indexOf(id),
    timeBytes: SECOND_BYTES,
    perSecond: 1,
    times: times.map((at) => ({ at: at + 1, after: 0 })),
  };
}

/** One encoded batch that can be made the next one: another id, and every time a second later. */
export interface Body {
  readonly bytes: Buffer;
  advance(): void;
}

export function makeBody(host: number, series: number, pointsEach: number): Body {
  const epoch = randomBytes(4).toString("hex");
  const { bytes, idAt = 0, times } = writeMetricsTemplate(host, { series, pointsEach });
  let second = Math.floor(Date.now() / 1000) - 7 * 86_400;
  let number = 0;
  const advance = () => {
    number += 1;
    second += 1;
    bytes.write(idOf(epoch, host, number), idAt);
    const encoded = varint(second, SECOND_BYTES);
    for (const { at } of times) bytes.set(encoded, at);
  };
  advance();
  return { bytes, advance };
}
