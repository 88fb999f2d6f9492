import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { DamagedBytes } from "../log/bytes.ts";

/**
 * Whole numbers taken apart into bytes: all lowest bytes side by side, then all second ones, and so on. Each such
 * plane is compressed by itself, for what is noise in one and regular in another would spoil both together.
 */
export const MOST_PLANES = 8;

/** Gathers numbers of different widths in bytes. */
export interface PlaneWriter {
  /** Signed whole numbers within ±2^52, from one index up to but without another. */
  zigzags(numbers: Float64Array, from: number, to: number, width: number): void;
  /** The eight bytes of each number as they are. */
  floats(numbers: Float64Array): void;
  /** The planes so far, lowest first. */
  planes(): Buffer[];
}

const zigzagOf = (number: number) => (number < 0 ? -2 * number - 1 : 2 * number);

/** Bytes that the widest of some numbers takes; 0 when all are zero. */
export function widthOf(numbers: Float64Array, from: number, to: number): number {
  let [least, most] = [0, 0];
  for (let index = from; index < to; index += 1) {
    const number = numbers[index] as number;
    if (number > most) most = number;
    else if (number < least) least = number;
  }
  let width = 0;
  for (let rest = Math.max(zigzagOf(least), zigzagOf(most)); rest >= 1; rest /= 256) width += 1;
  return width;
}

export function makePlaneWriter(): PlaneWriter {
  const buffers = Array.from({ length: MOST_PLANES }, () => Buffer.allocUnsafe(4096));
  const lengths = new Array<number>(MOST_PLANES).fill(0);
  const room = (plane: number, bytes: number): Buffer => {
    const length = lengths[plane] as number;
    let buffer = buffers[plane] as Buffer;
    if (length + bytes > buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, length + bytes));
      buffer.copy(larger, 0, 0, length);
      buffer = larger;
      buffers[plane] = larger;
    }
    lengths[plane] = length + bytes;
    return buffer;
  };
  return {
    zigzags(numbers, from, to, width) {
      for (let plane = 0; plane < width; plane += 1) {
        let at = lengths[plane] as number;
        const buffer = room(plane, to - from);
        // What is stored is cut to its lowest eight bits.
        if (width <= 4) {
          const shift = 8 * plane;
          for (let index = from; index < to; index += 1) {
            const number = (numbers[index] as number) | 0;
            buffer[at++] = ((number << 1) ^ (number >> 31)) >>> shift;
          }
        } else {
          const divisor = 256 ** plane;
          for (let index = from; index < to; index += 1) {
            buffer[at++] = Math.floor(zigzagOf(numbers[index] as number) / divisor) % 256;
          }
        }
      }
    },
    floats(numbers) {
      const bytes = Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength);
      for (let plane = 0; plane < 8; plane += 1) {
        let at = lengths[plane] as number;
        const buffer = room(plane, numbers.length);
        for (let from = plane; from < bytes.length; from += 8) buffer[at++] = bytes[from] as number;
      }
    },
    planes() {
      const used = lengths.findLastIndex((length) => length > 0) + 1;
      return buffers.slice(0, used).map((buffer, plane) => buffer.subarray(0, lengths[plane]));
    },
  };
}

/** Reads numbers in the order in which they were written, or skips them. */
export interface PlaneReader {
  zigzags(count: number, width: number, into: Float64Array, from: number): void;
  floats(count: number, into: Float64Array): void;
  skip(count: number, width: number): void;
}

/** Takes planes as they were squeezed, and unpacks those that something is read of. */
export function makePlaneReader(squeezed: readonly Buffer[], most: number): PlaneReader {
  const opened: Buffer[] = [];
  const at = new Array<number>(MOST_PLANES).fill(0);
  const open = (plane: number): Buffer => {
    const part = squeezed[plane];
    if (!part) throw new DamagedBytes("a plane is missing");
    const bytes = unsqueeze(part, most);
    opened[plane] = bytes;
    return bytes;
  };
  /** Moves over some bytes of a plane, and tells where they begin. */
  const pass = (plane: number, count: number): number => {
    const start = at[plane] as number;
    at[plane] = start + count;
    return start;
  };
  const take = (plane: number, length: number, count: number): number => {
    const start = pass(plane, count);
    if (!(start + count <= length)) throw new DamagedBytes("a plane is too short");
    return start;
  };
  return {
    zigzags(count, width, into, from) {
      const to = from + count;
      into.fill(0, from, to);
      let factor = 1;
      for (let plane = 0; plane < width; plane += 1, factor *= 256) {
        const bytes = opened[plane] ?? open(plane);
        let at = take(plane, bytes.length, count);
        for (let index = from; index < to; index += 1) {
          into[index] = (into[index] as number) + (bytes[at++] as number) * factor;
        }
      }
      if (width === 0) return;
      // Bitwise operators see 32 bits only.
      if (width <= 4) {
        for (let index = from; index < to; index += 1) {
          const zigzag = (into[index] as number) | 0;
          into[index] = (zigzag >>> 1) ^ -(zigzag & 1);
        }
        return;
      }
      for (let index = from; index < to; index += 1) {
        const zigzag = into[index] as number;
        into[index] = zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
      }
    },
    floats(count, into) {
      const all = Buffer.from(into.buffer, into.byteOffset, count * 8);
      for (let plane = 0; plane < 8; plane += 1) {
        const bytes = opened[plane] ?? open(plane);
        const start = take(plane, bytes.length, count);
        for (let index = 0; index < count; index += 1) {
          all[index * 8 + plane] = bytes[start + index] as number;
        }
      }
    },
    skip(count, width) {
      for (let plane = 0; plane < width; plane += 1) pass(plane, count);
    },
  };
}

/** Bytes in the smaller of two forms; which one is told by the first byte. */
export function squeeze(bytes: Buffer, level: number): Buffer {
  if (bytes.length > 16) {
    const packed = zstdCompressSync(bytes, {
      params: {
        [constants.ZSTD_c_compressionLevel]: level,
        [constants.ZSTD_c_checksumFlag]: 0,
        [constants.ZSTD_c_contentSizeFlag]: 1,
      },
    });
    if (packed.length < bytes.length) return Buffer.concat([Buffer.of(1), packed]);
  }
  return Buffer.concat([Buffer.of(0), bytes]);
}

/** What was squeezed; throws DamagedBytes when it would be larger than `most`. */
export function unsqueeze(bytes: Buffer, most: number): Buffer {
  const rest = bytes.subarray(1);
  if (bytes[0] === 0) return rest;
  try {
    return zstdDecompressSync(rest, { maxOutputLength: most });
  } catch (error) {
    throw new DamagedBytes(`a part cannot be decompressed: ${(error as Error).message}`);
  }
}
