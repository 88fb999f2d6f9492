import { Level } from "level";

/** Files that are not what they were when they were written. Never thrown for a full disk or missing rights. */
export class Damage extends Error {
  override name = "Damage";
}

export interface Operation {
  type: "put" | "del";
  key: Buffer;
  value?: Buffer;
}

export interface RangeOptions {
  gte?: Buffer;
  lte?: Buffer;
  highWaterMarkBytes?: number;
}

/** The part of LevelDB that the queue uses; `level` types only what browsers have too. */
export interface Database {
  batch(operations: Operation[], options: { sync: boolean }): Promise<void>;
  iterator(options: RangeOptions): {
    nextv(size: number): Promise<[Buffer, Buffer][]>;
    close(): Promise<void>;
  };
  compactRange(start: Buffer, end: Buffer): Promise<void>;
  close(): Promise<void>;
}

interface DatabaseOptions {
  /** True makes a new one and refuses an old one; false the other way round. */
  fresh: boolean;
  writeBufferSize: number;
}

/**
 * Opens a LevelDB directory with little memory: no cache to speak of, two write buffers at most.
 * Throws Damage when its files do not fit together, any other error as LevelDB gave it.
 */
export async function openDatabase(
  directory: string,
  { fresh, writeBufferSize }: DatabaseOptions,
): Promise<Database> {
  const level = new Level<Buffer, Buffer>(directory, {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
    createIfMissing: fresh,
    errorIfExists: fresh,
    writeBufferSize,
    blockSize: 16 * 1024,
    cacheSize: 64 * 1024,
    maxOpenFiles: 80,
  });
  try {
    await level.open();
  } catch (error) {
    await level.close();
    const cause = (error as Error).cause ?? error;
    throw damageIn(cause) ?? cause;
  }
  return level as unknown as Database;
}

const unfit =
  /No such file|does not exist|Not a directory|Is a directory|Input\/output|Invalid argument/;

/** The error as Damage when it speaks of unfit files, undefined for a full disk, missing rights and all else. */
export function damageIn(error: unknown): Damage | undefined {
  if (error instanceof Damage) return error;
  const { code, message = String(error) } = error as { code?: string; message?: string };
  const levels = code === undefined || code === "LEVEL_IO_ERROR";
  if (code === "LEVEL_CORRUPTION" || code === "EIO" || (levels && unfit.test(message))) {
    return new Damage(message, { cause: error });
  }
  return undefined;
}

/** Runs work on a database and turns LevelDB's complaints about its files into Damage. */
export async function noticeDamage<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw damageIn(error) ?? error;
  }
}
