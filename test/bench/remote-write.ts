import { labelsOf, metricOf, randomValue, type Shape, type Template, varint } from "./bodies.ts";

/** The peers' form of the same points: Prometheus's remote write. */

const MS_BYTES = 6;

const delimited = (field: number, content: Buffer) =>
  Buffer.concat([Buffer.of((field << 3) | 2), shortVarint(content.length), content]);

function shortVarint(value: number): Buffer {
  for (let bytes = 1; ; bytes += 1) if (value < 128 ** bytes) return varint(value, bytes);
}

const label = (name: string, value: string) =>
  delimited(1, Buffer.concat([delimited(1, Buffer.from(name)), delimited(2, Buffer.from(value))]));

function sample(value: number): Buffer {
  const bytes = Buffer.alloc(9 + 1 + MS_BYTES);
  bytes[0] = (1 << 3) | 1;
  bytes.writeDoubleLE(value, 1);
  bytes[9] = 2 << 3;
  return bytes;
}

/**
 * Snappy's block format without any compression, one literal: senders of repeated names would send
 * fewer bytes, and pay for it; a receiver reads it as any other.
 */
function asSnappy(bytes: Buffer): { bytes: Buffer; begin: number } {
  const head = Buffer.concat([shortVarint(bytes.length), Buffer.of(62 << 2, 0, 0, 0)]);
  head.writeUIntLE(bytes.length - 1, head.length - 3, 3);
  return { bytes: Buffer.concat([head, bytes]), begin: head.length };
}

/** The points of writeMetricsTemplate as a WriteRequest, with names that Prometheus allows. */
export function remoteWriteTemplate(host: number, { series, pointsEach }: Shape): Template {
  const parts: Buffer[] = [];
  const times: Template["times"] = [];
  let length = 0;
  for (let index = 0; index < series; index += 1) {
    const labels = {
      __name__: metricOf(index).replace(".", "_"),
      ...labelsOf(`host-${host}`, index),
    };
    const names = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
    const samples = Array.from({ length: pointsEach }, () => delimited(2, sample(randomValue())));
    const content = Buffer.concat([
      ...names.map(([name, value]) => label(name, value)),
      ...samples,
    ]);
    const encoded = delimited(1, content);
    length += encoded.length;
    const sampleBytes = samples[0]?.length ?? 0;
    for (let at = 0; at < pointsEach; at += 1) {
      times.push({ at: length - (pointsEach - 1 - at) * sampleBytes - MS_BYTES, after: at });
    }
    parts.push(encoded);
  }
  const { bytes, begin } = asSnappy(Buffer.concat(parts));
  return {
    bytes,
    idAt: undefined,
    timeBytes: MS_BYTES,
    perSecond: 1000,
    times: times.map(({ at, after }) => ({ at: at + begin, after })),
  };
}
