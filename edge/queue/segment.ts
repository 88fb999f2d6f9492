import path from "node:path";
import { Damage, type Database, noticeDamage, openDatabase } from "./database.ts";
import { makeDirectory, removeTree } from "./disk.ts";
import { decodeFrame, type Frame, type Position } from "./frame.ts";
import { verifyFiles } from "./level-files.ts";

/** The name of the segment whose first record has this sequence. */
export function segmentName(first: number): string {
  return first.toString().padStart(16, "0");
}

function key(sequence: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(sequence));
  return bytes;
}

/**
 * One LevelDB directory of frames under their sequences. They are only ever appended in order, so
 * each table that LevelDB flushes goes straight below all others and is never rewritten.
 */
export class Segment {
  readonly first: number;
  readonly #database: Database;

  private constructor(first: number, database: Database) {
    this.first = first;
    this.#database = database;
  }

  /** Makes an empty segment, in place of whatever has its name. */
  static async create(parent: string, first: number, writeBufferSize: number): Promise<Segment> {
    const directory = path.join(parent, segmentName(first));
    await removeTree(directory);
    await makeDirectory(directory);
    return new Segment(first, await openDatabase(directory, { fresh: true, writeBufferSize }));
  }

  /** Throws Damage unless every file of the segment is sound. */
  static async open(parent: string, first: number, writeBufferSize: number): Promise<Segment> {
    await verifyFiles(path.join(parent, segmentName(first)));
    return Segment.openVerified(parent, first, writeBufferSize);
  }

  static async openVerified(parent: string, first: number, writeBufferSize: number) {
    const directory = path.join(parent, segmentName(first));
    return new Segment(first, await openDatabase(directory, { fresh: false, writeBufferSize }));
  }

  /** Durable when it resolves. After an error the segment must not be written to again: its log may end in half a record. */
  async append(frames: { start: Position; bytes: Buffer }[]): Promise<void> {
    await this.#database.batch(
      frames.map(({ start, bytes }) => ({ type: "put", key: key(start.sequence), value: bytes })),
      { sync: true },
    );
  }

  /**
   * The frames from a position to a sequence, holes included. Throws Damage at the first that does
   * not hold or does not follow from the one before, and when the last is missing. Without a
   * position it takes the first frame's word for where the segment starts, without a last sequence
   * it goes as far as there are frames.
   */
  async *frames(from: Position | undefined, last: number | undefined): AsyncGenerator<Frame> {
    let next = from;
    const iterator = this.#database.iterator({
      gte: key(from?.sequence ?? this.first),
      ...(last === undefined ? {} : { lte: key(last) }),
      highWaterMarkBytes: 64 * 1024,
    });
    try {
      for (;;) {
        const entries = await noticeDamage(() => iterator.nextv(256));
        if (entries.length === 0) break;
        for (const [entryKey, value] of entries) {
          const frame = decodeFrame(value);
          if (!frame || !key(frame.start.sequence).equals(entryKey) || !follows(frame, next)) {
            throw new Damage(`segment ${this.first}: a record does not hold`);
          }
          next = frame.end;
          yield frame;
        }
      }
    } finally {
      await iterator.close();
    }
    const end = next?.sequence ?? this.first;
    if (last !== undefined && end <= last) {
      throw new Damage(`segment ${this.first} ends before ${end} instead of after ${last}`);
    }
  }

  /** Moves what is only in LevelDB's log into a table, without touching any other table. */
  async flush(): Promise<void> {
    await this.#database.compactRange(key(0), key(0));
  }

  async close(): Promise<void> {
    await this.#database.close();
  }
}

function follows(frame: Frame, expected: Position | undefined): boolean {
  const { start } = frame;
  if (!expected) return true;
  return start.sequence === expected.sequence && start.points === expected.points;
}
