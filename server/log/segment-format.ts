import { crc32 } from "node:zlib";
import { ByteReader, DamagedBytes, makeByteWriter } from "./bytes.ts";

/**
 * A segment holds the batches of one commit, each packed in columns:
 *
 *   version: one byte
 *   each batch: its length, then sender id, batch id, clock offset in ms, first time in ms,
 *     number of runs, and three columns, each with an entry for every run:
 *       heads   series id (less the one before), number of points, bytes of its times
 *       times   differences of differences in ms, starting from the batch's first time
 *       values  float64, little-endian
 *   CRC-32 of everything before: four bytes, little-endian
 *
 * A run is some points of one series, in the order they were sent. A series may have several.
 */
const VERSION = 1;
const CHECK_BYTES = 4;

/** Who sent a batch, and what it is called. */
export interface BatchHead {
  senderId: string;
  /** Empty when the sender gave none. */
  batchId: string;
  /** How far the sender's clock was ahead, in ms. */
  clockOffsetMs: number;
}

/** The points of one batch as they stand in a segment. */
export interface PackedPoints {
  points: number;
  /** The least and the greatest time, in ms since 1970. */
  startMs: number;
  endMs: number;
  bytes: Buffer;
}

/** Packs one batch at a time; its buffers are used again for the next one. */
export interface BatchPacker {
  /** Begins a batch, whatever was before. */
  begin(head: BatchHead): void;
  /**
   * Adds a run: the first `count` of some points of one series, all at once, since what is kept from
   * point to point within a call costs nothing. Ids go up to 2^51; times are whole, from 0 to 2^48.
   */
  run(seriesId: number, count: number, times: Float64Array, values: Float64Array): void;
  /** The batch's points, or undefined when it has none. */
  finish(): PackedPoints | undefined;
}

export function makeBatchPacker(): BatchPacker {
  const heads = makeByteWriter();
  const times = makeByteWriter(4096);
  const values = makeByteWriter(4096);
  const start = makeByteWriter();
  let batch: BatchHead = { senderId: "", batchId: "", clockOffsetMs: 0 };
  let runs = 0;
  let points = 0;
  let firstMs = 0;
  let startMs = 0;
  let endMs = 0;
  let lastId = 0;

  return {
    begin(head) {
      for (const writer of [start, heads, times, values]) writer.clear();
      batch = head;
      runs = 0;
      points = 0;
      lastId = 0;
    },

    run(seriesId, count, newTimes, newValues) {
      if (count === 0) return;
      if (points === 0) {
        firstMs = newTimes[0] as number;
        startMs = firstMs;
        endMs = firstMs;
      }
      const timesStart = times.length;
      let least = startMs;
      let most = endMs;
      let lastMs = firstMs;
      let lastDelta = 0;
      for (let at = 0; at < count; at += 1) {
        const ms = newTimes[at] as number;
        if (ms < least) least = ms;
        else if (ms > most) most = ms;
        const delta = ms - lastMs;
        times.zigzag(delta - lastDelta);
        // The way from the batch's first time to the run's says nothing about the run's rhythm.
        lastDelta = at === 0 ? 0 : delta;
        lastMs = ms;
      }
      values.floats(newValues, count);
      startMs = least;
      endMs = most;
      heads.zigzag(seriesId - lastId);
      heads.varint(count);
      heads.varint(times.length - timesStart);
      lastId = seriesId;
      runs += 1;
      points += count;
    },

    finish() {
      if (points === 0) return undefined;
      start.text(batch.senderId);
      start.text(batch.batchId);
      start.zigzag(batch.clockOffsetMs);
      start.varint(firstMs);
      start.varint(runs);
      const columns = [start, heads, times, values].map((writer) => writer.written());
      return { points, startMs, endMs, bytes: Buffer.concat(columns) };
    },
  };
}

/** Puts packed batches into the bytes of one segment. */
export function joinSegment(batches: readonly { bytes: Buffer }[]): Buffer {
  const lengths = makeByteWriter(batches.length * 4 + 8);
  lengths.bytes(Buffer.of(VERSION));
  const parts: Buffer[] = [];
  let written = 0;
  for (const { bytes } of batches) {
    lengths.varint(bytes.length);
    parts.push(Buffer.from(lengths.written().subarray(written)), bytes);
    written = lengths.length;
  }
  const check = Buffer.allocUnsafe(CHECK_BYTES);
  check.writeUInt32LE(parts.reduce((sum, part) => crc32(part, sum), 0));
  return Buffer.concat([...parts, check]);
}

/** Some points of one series. All of it is used again for the next run: of the arrays only the first `count` entries count. */
export interface Run {
  batch: BatchHead;
  seriesId: number;
  count: number;
  times: Float64Array;
  values: Float64Array;
}

/**
 * Tells the runs of a segment in the order they arrived, but for those of series that are not wanted,
 * which cost next to nothing. Throws DamagedBytes when the bytes are not what was written. It calls
 * back since most runs are of one point, which is less work than a generator's turn.
 */
export function readSegment(
  body: Buffer,
  wants: (seriesId: number) => boolean,
  take: (run: Run) => void,
): void {
  const end = body.length - CHECK_BYTES;
  if (end < 1) throw new DamagedBytes("a segment is too short");
  if (body.readUInt32LE(end) !== crc32(body.subarray(0, end))) {
    throw new DamagedBytes("a segment's check does not match");
  }
  if (body[0] !== VERSION) throw new DamagedBytes(`a segment is of version ${body[0]}`);
  const reader = new ByteReader(body, 1, end);
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  while (reader.position < end) {
    const length = reader.varint();
    const start = reader.position;
    reader.skip(length);
    readBatch({ body, view, start, end: reader.position }, wants, take);
  }
}

function readBatch(
  { body, view, start, end }: { body: Buffer; view: DataView; start: number; end: number },
  wants: (seriesId: number) => boolean,
  take: (run: Run) => void,
): void {
  const heads = new ByteReader(body, start, end);
  const batch = { senderId: heads.text(), batchId: heads.text(), clockOffsetMs: heads.zigzag() };
  const firstMs = heads.varint();
  const runs = heads.varint();
  const headsStart = heads.position;

  // Where the columns begin follows from all the heads together.
  let most = 0;
  let points = 0;
  let timesBytes = 0;
  for (let run = 0; run < runs; run += 1) {
    heads.zigzag();
    const count = heads.varint();
    points += count;
    timesBytes += heads.varint();
    if (count > most) most = count;
  }
  const timesStart = heads.position;
  if (timesStart + timesBytes + points * 8 !== end) {
    throw new DamagedBytes("a batch's columns do not fill it");
  }

  const times = new ByteReader(body, timesStart, timesStart + timesBytes);
  let timesAt = timesStart;
  let valuesAt = timesStart + timesBytes;
  const run: Run = {
    batch,
    seriesId: 0,
    count: 0,
    times: new Float64Array(most),
    values: new Float64Array(most),
  };
  heads.position = headsStart;
  for (let index = 0; index < runs; index += 1) {
    run.seriesId += heads.zigzag();
    run.count = heads.varint();
    const bytes = heads.varint();
    if (wants(run.seriesId)) {
      times.position = timesAt;
      let ms = firstMs;
      let delta = 0;
      for (let point = 0; point < run.count; point += 1) {
        delta += times.zigzag();
        ms += delta;
        if (point === 0) delta = 0;
        run.times[point] = ms;
        run.values[point] = view.getFloat64(valuesAt + point * 8, true);
      }
      if (times.position !== timesAt + bytes) throw new DamagedBytes("a run's times do not fit");
      take(run);
    }
    timesAt += bytes;
    valuesAt += run.count * 8;
  }
}
