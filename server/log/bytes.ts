/** Bytes that were read are not what a writer of this format could have written. */
export class DamagedBytes extends Error {
  override name = "DamagedBytes";
}

/** A buffer that grows as it is written, and is used again after `clear`. */
export interface ByteWriter {
  readonly length: number;
  /** A whole number from 0 to 2^53 - 1, seven bits a byte, the lowest first. */
  varint(value: number): void;
  /** A whole number within ±2^52, small ones in few bytes whatever their sign. */
  zigzag(value: number): void;
  float64(value: number): void;
  /** UTF-8 after its length in bytes. */
  text(value: string): void;
  bytes(value: Uint8Array): void;
  /** What was written; valid until the next write. */
  written(): Buffer;
  clear(): void;
}

const viewOf = ({ buffer, byteOffset, length }: Buffer) => new DataView(buffer, byteOffset, length);

export function makeByteWriter(initialBytes = 1024): ByteWriter {
  let buffer = Buffer.allocUnsafe(initialBytes);
  let view = viewOf(buffer);
  let length = 0;

  const grow = (by: number) => {
    const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, length + by));
    buffer.copy(larger, 0, 0, length);
    buffer = larger;
    view = viewOf(buffer);
  };

  const varint = (value: number) => {
    if (length + 8 > buffer.length) grow(8);
    let rest = value;
    // Bitwise operators see 32 bits only.
    while (rest > 0x7fff_ffff) {
      buffer[length++] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest > 0x7f) {
      buffer[length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buffer[length++] = rest;
  };

  return {
    get length() {
      return length;
    },
    varint,
    zigzag: (value) => varint(value < 0 ? -2 * value - 1 : 2 * value),
    float64(value) {
      if (length + 8 > buffer.length) grow(8);
      view.setFloat64(length, value, true);
      length += 8;
    },
    text(value) {
      const bytes = Buffer.byteLength(value);
      varint(bytes);
      if (length + bytes > buffer.length) grow(bytes);
      length += buffer.write(value, length);
    },
    bytes(value) {
      if (length + value.length > buffer.length) grow(value.length);
      buffer.set(value, length);
      length += value.length;
    },
    written: () => buffer.subarray(0, length),
    clear() {
      length = 0;
    },
  };
}

/** Reads what a ByteWriter wrote; throws DamagedBytes rather than read past the end. */
export interface ByteReader {
  /** Where the next read begins; may be set to any place up to the end. */
  position: number;
  readonly end: number;
  varint(): number;
  zigzag(): number;
  float64(): number;
  text(): string;
  /** Moves over as many bytes, which must be there. */
  skip(bytes: number): void;
}

export function makeByteReader(buffer: Buffer, start = 0, end = buffer.length): ByteReader {
  let position = start;

  const varint = () => {
    // Most take one byte.
    const first = buffer[position] as number;
    if (position < end && first < 0x80) {
      position += 1;
      return first;
    }
    let value = 0;
    let factor = 1;
    for (let count = 0; count < 8; count += 1) {
      const byte = position < end ? buffer[position++] : undefined;
      if (byte === undefined) throw new DamagedBytes("a number goes on past the end");
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      factor *= 128;
    }
    throw new DamagedBytes("a number is too long");
  };

  const skip = (bytes: number) => {
    if (bytes > end - position) throw new DamagedBytes("the end comes too early");
    position += bytes;
  };

  return {
    get position() {
      return position;
    },
    set position(value) {
      if (!(value >= start && value <= end)) throw new DamagedBytes("a place is out of bounds");
      position = value;
    },
    end,
    varint,
    zigzag() {
      const value = varint();
      return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    },
    float64() {
      const at = position;
      skip(8);
      return buffer.readDoubleLE(at);
    },
    text() {
      const bytes = varint();
      const at = position;
      skip(bytes);
      return buffer.toString("utf8", at, position);
    },
    skip,
  };
}
