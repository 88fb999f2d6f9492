const mostBytes = 64 * 1024 * 1024;

/**
 * Decompresses a Snappy block as far as it goes: damage ends or distorts the result but never
 * throws, so what comes out must carry checksums of its own.
 */
export function snappyDecompress(block: Buffer): Buffer {
  let at = 0;
  let length = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = block[at++] ?? 0;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  const out = Buffer.alloc(Math.min(length, mostBytes));
  let end = 0;
  while (at < block.length && end < out.length) {
    const tag = block[at++] ?? 0;
    if ((tag & 3) === 0) {
      let size = (tag >> 2) + 1;
      if (size > 60) {
        const width = size - 60;
        if (at + width > block.length) break;
        size = block.readUIntLE(at, width) + 1;
        at += width;
      }
      end += block.copy(out, end, at, at + size);
      at += size;
    } else {
      const width = (tag & 3) === 3 ? 4 : tag & 3;
      if (at + width > block.length) break;
      const short = (tag & 3) === 1;
      const size = short ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
      const back = short ? ((tag >> 5) << 8) + block.readUInt8(at) : block.readUIntLE(at, width);
      at += width;
      if (back === 0 || back > end) break;
      const stop = Math.min(end + size, out.length);
      for (; end < stop; end++) out[end] = out[end - back] ?? 0;
    }
  }
  return out.subarray(0, end);
}
