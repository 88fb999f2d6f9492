import { crc32 } from "node:zlib";

/** A place between two records: the sequence of the next one, and what all records before it add up to. */
export interface Position {
  sequence: number;
  points: number;
  /** Payload bytes. */
  bytes: number;
}

export interface QueueRecord {
  /** Opaque; the payloads of several records put end to end must be a valid payload again. */
  payload: Uint8Array;
  /** A whole number, at least 1. */
  points: number;
  /** Unix milliseconds of the earliest point. */
  startTime: number;
  /** Unix milliseconds of the latest point. */
  endTime: number;
  /** Milliseconds by which the local clock was ahead when the points were taken; undefined when not yet known. */
  clockOffsetMs: number | undefined;
}

/**
 * What a segment stores under a sequence: a record, or a hole that stands for records lost to
 * damage. Because each frame carries what came before it, a gap tells exactly how much is missing.
 */
export interface Frame extends QueueRecord {
  kind: "record" | "hole";
  start: Position;
  end: Position;
}

/*
 * Little-endian: 0 magic, 4 version, 5 kind (0 record, 1 hole), 6 zero, 8 payload length,
 * 12 sequence, 20 points before, 28 payload bytes before, 36 points, 40 start time, 48 end time,
 * 56 clock offset (NaN when unknown), 64 CRC32 of all the rest, 68 payload.
 */
const magic = Buffer.from("LqFr", "latin1");
const version = 1;
const headerBytes = 68;
const crcAt = 64;
/** A hole's payload: the position after it (three 64-bit numbers). */
const holeBytes = 24;

export function encodeRecord(start: Position, record: QueueRecord): Buffer {
  return encode(0, start, record);
}

export function encodeHole(
  start: Position,
  end: Position,
  startTime: number,
  endTime: number,
): Buffer {
  const payload = Buffer.alloc(holeBytes);
  write64(payload, 0, end.sequence);
  write64(payload, 8, end.points);
  write64(payload, 16, end.bytes);
  return encode(1, start, { payload, points: 0, startTime, endTime, clockOffsetMs: undefined });
}

function encode(kind: 0 | 1, start: Position, record: QueueRecord): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + record.payload.length);
  magic.copy(frame, 0);
  frame[4] = version;
  frame[5] = kind;
  frame.writeUInt16LE(0, 6);
  frame.writeUInt32LE(record.payload.length, 8);
  write64(frame, 12, start.sequence);
  write64(frame, 20, start.points);
  write64(frame, 28, start.bytes);
  frame.writeUInt32LE(record.points, 36);
  frame.writeDoubleLE(record.startTime, 40);
  frame.writeDoubleLE(record.endTime, 48);
  frame.writeDoubleLE(record.clockOffsetMs ?? Number.NaN, 56);
  frame.set(record.payload, headerBytes);
  frame.writeUInt32LE(checksum(frame), crcAt);
  return frame;
}

function checksum(frame: Buffer): number {
  return crc32(frame.subarray(headerBytes), crc32(frame.subarray(0, crcAt)));
}

/** The frame at the beginning of `bytes`, or undefined when it is cut short or does not hold. */
export function decodeFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < headerBytes || bytes.compare(magic, 0, 4, 0, 4) !== 0) return undefined;
  const length = headerBytes + bytes.readUInt32LE(8);
  if (bytes[4] !== version || bytes.length < length) return undefined;
  const frame = bytes.subarray(0, length);
  if (checksum(frame) !== frame.readUInt32LE(crcAt)) return undefined;
  const start = {
    sequence: read64(frame, 12),
    points: read64(frame, 20),
    bytes: read64(frame, 28),
  };
  const payload = frame.subarray(headerBytes);
  const points = frame.readUInt32LE(36);
  const offset = frame.readDoubleLE(56);
  const hole = frame[5] === 1;
  const end = hole
    ? { sequence: read64(payload, 0), points: read64(payload, 8), bytes: read64(payload, 16) }
    : {
        sequence: start.sequence + 1,
        points: start.points + points,
        bytes: start.bytes + payload.length,
      };
  return {
    kind: hole ? "hole" : "record",
    start,
    end,
    payload,
    points,
    startTime: frame.readDoubleLE(40),
    endTime: frame.readDoubleLE(48),
    clockOffsetMs: Number.isNaN(offset) ? undefined : offset,
  };
}

/** How many bytes the frame takes when stored, before compression. */
export function frameBytes(record: { payload: Uint8Array }): number {
  return headerBytes + record.payload.length;
}

/** Every intact frame anywhere in a stretch of bytes that may be damaged. */
export function* scanFrames(bytes: Buffer): Generator<Frame> {
  let at = bytes.indexOf(magic);
  while (at >= 0) {
    const frame = decodeFrame(bytes.subarray(at));
    if (frame) yield frame;
    at = bytes.indexOf(magic, at + (frame ? frameBytes(frame) : 1));
  }
}

function write64(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt32LE(value % 2 ** 32, at);
  bytes.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

function read64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}
