import { crc32 } from "node:zlib";
import { ByteReader, DamagedBytes, makeByteWriter } from "../log/bytes.ts";
import { differ, fromDecimals, smallest, sumUp, toDecimals } from "./numbers.ts";
import {
  MOST_PLANES,
  makePlaneReader,
  makePlaneWriter,
  squeeze,
  unsqueeze,
  widthOf,
} from "./planes.ts";

/**
 * A block holds points of several series, a piece of each:
 *
 *   version: one byte
 *   directory: an entry for each piece, in order of series id
 *     series id (less the one before), number of points
 *     times: 0 if they are those of the piece before, else one more than the bytes each takes in
 *       the planes; then the first, and the first difference, if there are so many
 *     values: 128 for floats; else 16 times the order of differences plus the bytes each takes; then
 *       the decimal digits, and as many first numbers as the order
 *   planes of the times: differences of differences
 *   planes of the values
 *   CRC-32 of everything before: four bytes, little-endian
 *
 * Directory and planes are lengths followed by bytes, squeezed each by itself.
 */
const VERSION = 1;
const CHECK_BYTES = 4;
const FLOATS = 128;
/** No part of a block that was made here is larger when unpacked. */
const MOST_UNPACKED = 64 << 20;
/** Values that are unpacked into one array. */
const MOST_TOGETHER = 2048;

/** Some points of one series, in order of time, no two at the same; at least one. */
export interface Piece {
  seriesId: number;
  /** Whole milliseconds since 1970. */
  times: Float64Array;
  values: Float64Array;
}

/** Packs pieces of different series, in order of their ids. A higher level takes longer and saves more. */
export function packBlock(pieces: readonly Piece[], level: number): Buffer {
  const directory = makeByteWriter(pieces.length * 12);
  const times = makePlaneWriter();
  const values = makePlaneWriter();
  // One for all: an array for each of many short pieces would cost more than their points.
  const scratch = new Float64Array(
    pieces.reduce((most, piece) => Math.max(most, piece.times.length), 0),
  );
  let before: Piece | undefined;
  for (const piece of pieces) {
    directory.varint(piece.seriesId - (before?.seriesId ?? 0));
    directory.varint(piece.times.length);
    if (before && isSame(before.times, piece.times)) directory.varint(0);
    else packTimes(piece.times);
    packValues(piece.values);
    before = piece;
  }

  function packTimes(all: Float64Array) {
    const count = all.length;
    scratch.set(all);
    differ(scratch, count, 2);
    const width = widthOf(scratch, 2, count);
    directory.varint(1 + width);
    directory.varint(scratch[0] as number);
    if (count > 1) directory.varint(scratch[1] as number);
    if (count > 2) times.zigzags(scratch, 2, count, width);
  }

  function packValues(all: Float64Array) {
    const count = all.length;
    const decimals = toDecimals(all, scratch);
    if (!decimals) {
      directory.varint(FLOATS);
      values.floats(all);
      return;
    }
    const order = smallest(scratch, count);
    differ(scratch, count, order);
    const width = widthOf(scratch, order, count);
    directory.varint(order * 16 + width);
    directory.varint(decimals.digits);
    for (let index = 0; index < order; index += 1) directory.zigzag(scratch[index] as number);
    values.zigzags(scratch, order, count, width);
  }

  const body = makeByteWriter(4096);
  body.bytes(Buffer.of(VERSION));
  const add = (part: Buffer) => {
    const squeezed = squeeze(part, level);
    body.varint(squeezed.length);
    body.bytes(squeezed);
  };
  add(directory.written());
  for (const planes of [times.planes(), values.planes()]) {
    body.varint(planes.length);
    for (const plane of planes) add(plane);
  }
  const check = Buffer.allocUnsafe(CHECK_BYTES);
  check.writeUInt32LE(crc32(body.written()));
  body.bytes(check);
  // Memory of its own: as a part of Node's pool, a small block would hold all of that, wherever it goes.
  return Buffer.from(new Uint8Array(body.written()).buffer);
}

function isSame(a: Float64Array, b: Float64Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}

interface Entry {
  seriesId: number;
  count: number;
  /** The entry whose times these are: itself, or one before. */
  timesOf: Entry;
  timesWidth: number;
  firstMs: number;
  firstStep: number;
  valuesKind: number;
  digits: number;
  heads: number[];
  /** Set when they were asked for; shared by all pieces that have them in common. */
  times?: Float64Array;
}

/**
 * The pieces of the series that are wanted; of all others no more than the directory is unpacked.
 * Times may be shared between pieces: they are not to be written to. Throws DamagedBytes.
 */
export function* readBlock(body: Buffer, wants: (seriesId: number) => boolean): Generator<Piece> {
  const end = body.length - CHECK_BYTES;
  if (end < 1) throw new DamagedBytes("a block is too short");
  if (body.readUInt32LE(end) !== crc32(body.subarray(0, end))) {
    throw new DamagedBytes("a block's check does not match");
  }
  if (body[0] !== VERSION) throw new DamagedBytes(`a block is of version ${body[0]}`);
  const reader = new ByteReader(body, 1, end);
  const part = (): Buffer => {
    const length = reader.varint();
    const start = reader.position;
    reader.skip(length);
    return body.subarray(start, reader.position);
  };
  const entries = readDirectory(unsqueeze(part(), MOST_UNPACKED));
  if (!entries.some(({ seriesId }) => wants(seriesId))) return;
  const planesOf = () => {
    const count = reader.varint();
    if (count > MOST_PLANES) throw new DamagedBytes(`a block has ${count} planes`);
    return makePlaneReader(Array.from({ length: count }, part), MOST_UNPACKED);
  };
  const timePlanes = planesOf();
  const valuePlanes = planesOf();
  const needed = new Set<Entry>();
  let wanted = 0;
  for (const entry of entries) {
    if (!wants(entry.seriesId)) continue;
    needed.add(entry.timesOf);
    wanted += entry.count;
  }
  // One for many: an array for each of many short pieces would cost more than their points. Not one for
  // all, since of many blocks that are merged each holds what it has unpacked.
  let some = new Float64Array(0);
  let from = 0;
  for (const entry of entries) {
    if (entry.timesOf === entry) {
      const inPlanes = Math.max(0, entry.count - 2);
      if (!needed.has(entry)) timePlanes.skip(inPlanes, entry.timesWidth);
      else {
        entry.times = new Float64Array(entry.count);
        entry.times[0] = entry.firstMs;
        if (entry.count > 1) entry.times[1] = entry.firstStep;
        timePlanes.zigzags(inPlanes, entry.timesWidth, entry.times, 2);
        sumUp(entry.times, entry.count, 2);
      }
    }
    const { seriesId, valuesKind, count } = entry;
    const order = entry.heads.length;
    if (!wants(seriesId)) {
      if (valuesKind === FLOATS) valuePlanes.skip(count, 8);
      else valuePlanes.skip(Math.max(0, count - order), valuesKind % 16);
      continue;
    }
    if (from + count > some.length) {
      some = new Float64Array(Math.max(count, Math.min(wanted, MOST_TOGETHER)));
      from = 0;
    }
    const values = some.subarray(from, from + count);
    from += count;
    wanted -= count;
    if (valuesKind === FLOATS) valuePlanes.floats(count, values);
    else {
      values.set(entry.heads);
      valuePlanes.zigzags(Math.max(0, count - order), valuesKind % 16, values, order);
      sumUp(values, count, order);
      fromDecimals(values, count, entry.digits);
    }
    yield { seriesId, times: entry.timesOf.times as Float64Array, values };
  }
}

function readDirectory(bytes: Buffer): Entry[] {
  const reader = new ByteReader(bytes);
  const entries: Entry[] = [];
  let before: Entry | undefined;
  while (reader.position < bytes.length) {
    const seriesId = (before?.seriesId ?? 0) + reader.varint();
    const count = reader.varint();
    const times = reader.varint();
    const entry: Entry = {
      seriesId,
      count,
      timesOf: undefined as unknown as Entry,
      timesWidth: times - 1,
      firstMs: 0,
      firstStep: 0,
      valuesKind: 0,
      digits: 0,
      heads: [],
    };
    if (times === 0) {
      if (!before || before.count !== count) throw new DamagedBytes("a piece has no times");
      entry.timesOf = before.timesOf;
    } else {
      entry.timesOf = entry;
      entry.firstMs = reader.varint();
      if (count > 1) entry.firstStep = reader.varint();
    }
    entry.valuesKind = reader.varint();
    if (entry.valuesKind !== FLOATS) {
      entry.digits = reader.varint();
      const order = Math.floor(entry.valuesKind / 16);
      for (let index = 0; index < order; index += 1) entry.heads.push(reader.zigzag());
    }
    entries.push(entry);
    before = entry;
  }
  return entries;
}
