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
  /** The first `count` of some numbers, eight bytes each. */
  floats(values: Float64Array, count: number): void;
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
    floats(values, count) {
      if (length + 8 * count > buffer.length) grow(8 * count);
      for (let at = 0; at < count; at += 1) {
        view.setFloat64(length + 8 * at, values[at] as number, true);
      }
      length += 8 * count;
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

/**
 * Reads what a ByteWriter wrote; throws DamagedBytes rather than read past the end. A class, since
 * each batch of the log takes some of them: functions made anew each time are not compiled into
 * whoever calls them.
 */
export class ByteReader {
  readonly end: number;
  #buffer: Buffer;
  #start: number;
  #position: number;

  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    this.end = end;
    this.#buffer = buffer;
    this.#start = start;
    this.#position = start;
  }

  /** Where the next read begins; may be set to any place up to the end. */
  get position(): number {
    return this.#position;
  }

  set position(value: number) {
    if (!(value >= this.#start && value <= this.end)) {
      throw new DamagedBytes("a place is out of bounds");
    }
    this.#position = value;
  }

  varint(): number {
    // Most take one byte.
    const first = this.#buffer[this.#position] as number;
    if (this.#position < this.end && first < 0x80) {
      this.#position += 1;
      return first;
    }
    let value = 0;
    let factor = 1;
    for (let count = 0; count < 8; count += 1) {
      const byte = this.#position < this.end ? this.#buffer[this.#position] : undefined;
      if (byte === undefined) throw new DamagedBytes("a number goes on past the end");
      this.#position += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      factor *= 128;
    }
    throw new DamagedBytes("a number is too long");
  }

  zigzag(): number {
    const value = this.varint();
    // Bitwise operators see 32 bits only.
    if (value <= 0x7fff_ffff) return (value >>> 1) ^ -(value & 1);
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  float64(): number {
    const at = this.#position;
    this.skip(8);
    return this.#buffer.readDoubleLE(at);
  }

  text(): string {
    const bytes = this.varint();
    const at = this.#position;
    this.skip(bytes);
    return this.#buffer.toString("utf8", at, this.#position);
  }

  /** Moves over as many bytes, which must be there. */
  skip(bytes: number): void {
    if (bytes > this.end - this.#position) throw new DamagedBytes("the end comes too early");
    this.#position += bytes;
  }
}
