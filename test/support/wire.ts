import fc from "fast-check";

/** Bodies of WriteMetrics as no encoder of good faith writes them, beside those that it does. */

/** A number in seven bits a byte, with as many needless bytes behind it. */
export function varint(value: bigint, needless = 0): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  } while (rest > 0n);
  for (let count = 0; count < needless; count += 1) bytes.push(0x80);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) & 0x7f;
  return Buffer.from(bytes);
}

export const tag = (field: number, wireType: number, needless = 0) =>
  varint(BigInt((field << 3) | wireType), needless);

/** `lie` is how much longer it is said to be than it is. */
export const delimited = (field: number, content: Uint8Array, needless = 0, lie = 0): Buffer => {
  const length = BigInt(Math.max(0, content.length + lie));
  return Buffer.concat([tag(field, 2), varint(length, needless), content]);
};

export function double(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([tag(field, 1), bytes]);
}

export const number = (field: number, value: bigint, needless = 0): Buffer =>
  Buffer.concat([tag(field, 0), varint(value, needless)]);

type Part = fc.Arbitrary<Buffer>;

/** Mostly none; up to more than a number may have. */
const needless = fc.oneof(
  { weight: 40, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 10 }) },
);
const messageOf = (parts: Part, maxLength: number): Part =>
  fc.array(parts, { maxLength }).map((all) => Buffer.concat(all));
const lie = fc.oneof(
  { weight: 60, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: -4, max: 12 }) },
);
const within = (field: number, content: Part): Part =>
  fc
    .tuple(content, needless, lie)
    .map(([bytes, extra, off]) => delimited(field, bytes, extra, off));
/** Mostly the first. */
const mostly = <Value>(usual: fc.Arbitrary<Value>, rare: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 15, arbitrary: usual }, { weight: 1, arbitrary: rare });
const textIn = (field: number, usual: string[], rare: (string | Buffer)[]): Part => {
  const bytesOf = (texts: (string | Buffer)[]) =>
    fc.constantFrom(...texts.map((text) => Buffer.from(text)));
  return within(field, mostly(bytesOf(usual), bytesOf(rare)));
};

const INVALID_TEXT = Buffer.from([0x61, 0xff, 0xfe]);
const LONGS = [
  0n,
  1n,
  -1n,
  2n ** 31n,
  2n ** 32n + 5n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];
const longs = fc.oneof(
  fc.constantFrom(...LONGS),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);
/** Fields that nobody knows, of every wire type; groups may be nested, or never end. */
const unknown: Part = fc.oneof(
  fc.tuple(longs, needless).map(([value, extra]) => number(9, value, extra)),
  fc.constant(double(10, 1)),
  fc.constant(Buffer.concat([tag(11, 5), Buffer.alloc(4)])),
  within(
    12,
    fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
  ),
  fc.constant(number(700, 3n)),
  fc.constant(Buffer.concat([tag(13, 3), number(1, 1n), tag(13, 4)])),
  fc.constant(Buffer.concat([tag(13, 3), number(1, 1n), tag(14, 4)])),
  fc.constant(tag(13, 3)),
  fc.constant(tag(13, 4)),
);
/** Known fields as something else than they are, and tags that are none. */
const wrong: Part = fc.oneof(
  fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7))
    .map(([field, wireType]) => Buffer.concat([tag(field, wireType), Buffer.alloc(9, 1)])),
  fc
    .tuple(fc.integer({ min: 1, max: 4 }), needless)
    .map(([field, extra]) => Buffer.concat([tag(field, 2, extra), Buffer.of(0)])),
  fc.constantFrom(Buffer.of(0), Buffer.of(2), Buffer.from([0xfa, 0xff, 0xff, 0xff, 0x7f])),
);

const withOddities = (known: Part): Part =>
  fc.oneof(
    { weight: 60, arbitrary: known },
    { weight: 3, arbitrary: unknown },
    { weight: 1, arbitrary: wrong },
  );

function requestsAround(nowSeconds: bigint): Part {
  const seconds = mostly(
    fc.integer({ min: -600, max: 600 }).map((s) => nowSeconds + BigInt(s)),
    longs,
  );
  const nanos = mostly(fc.integer({ min: 0, max: 999_999_999 }).map(BigInt), longs);
  const numbers = (field: number, values: fc.Arbitrary<bigint>) =>
    fc.tuple(values, needless).map(([value, extra]) => number(field, value, extra));

  const time = messageOf(withOddities(fc.oneof(numbers(1, seconds), numbers(2, nanos))), 3);
  const value = mostly(fc.double({ noDefaultInfinity: true, noNaN: true }), fc.double()).map(
    (given) => double(2, given),
  );
  const point = fc.oneof(
    fc.tuple(within(1, numbers(1, seconds)), value).map((both) => Buffer.concat(both)),
    messageOf(withOddities(fc.oneof(within(1, time), value)), 3),
  );
  const label = messageOf(
    withOddities(
      fc.oneof(
        textIn(1, ["a", "b", "__proto__"], ["", "lumetry.x", "9", "é", INVALID_TEXT]),
        textIn(2, ["1", "2", "é"], ["", "a\0b", INVALID_TEXT]),
      ),
    ),
    3,
  );
  const named = fc.oneof(textIn(1, ["m", "n"], ["no name", "", INVALID_TEXT]), within(2, label));
  /** Names before points, as encoders write it; now and then in any order. */
  const series = fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .tuple(messageOf(withOddities(named), 3), messageOf(withOddities(within(3, point)), 5))
        .map((both) => Buffer.concat(both)),
    },
    { weight: 1, arbitrary: messageOf(withOddities(fc.oneof(named, within(3, point))), 6) },
  );
  const metadata = messageOf(
    withOddities(
      fc.oneof(
        textIn(1, ["m", "n"], [INVALID_TEXT]),
        fc.constantFrom(0n, 1n, 2n, 7n, -1n).map((kind) => number(2, kind)),
        textIn(3, ["s", "By"], [INVALID_TEXT]),
        textIn(4, ["what it is", "é"], [INVALID_TEXT]),
      ),
    ),
    4,
  );
  const offset = messageOf(
    withOddities(
      fc.oneof(
        numbers(1, mostly(fc.constantFrom(0n, 1n, -1n, 60n), fc.constant(400_000_000_000n))),
        numbers(2, mostly(fc.constantFrom(0n, 5n), fc.constantFrom(-5n, 1_000_000_000n))),
      ),
    ),
    2,
  );
  const request = messageOf(
    withOddities(
      fc.oneof(
        { weight: 6, arbitrary: within(2, series) },
        { weight: 1, arbitrary: textIn(1, ["", "a-1"], ["é", "a\nb", INVALID_TEXT]) },
        { weight: 1, arbitrary: within(3, metadata) },
        { weight: 1, arbitrary: within(4, offset) },
      ),
    ),
    6,
  );
  return request;
}

/** Whole bodies, and such that were cut off or changed on their way. */
export function encodedRequests(nowMs: number): Part {
  const whole = requestsAround(BigInt(Math.floor(nowMs / 1000)));
  const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
  return fc.oneof(
    { weight: 8, arbitrary: whole },
    {
      weight: 1,
      arbitrary: fc
        .tuple(whole, place)
        .map(([bytes, at]) => bytes.subarray(0, Math.floor(at * bytes.length))),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(whole, place, fc.integer({ min: 1, max: 255 }))
        .map(([bytes, at, change]) => {
          const changed = Buffer.from(bytes);
          const index = Math.floor(at * bytes.length);
          if (index < changed.length) changed[index] = (changed[index] ?? 0) ^ change;
          return changed;
        }),
    },
  );
}
