import { readFile } from "node:fs/promises";
import path from "node:path";
import { crc32c, unmaskCrc } from "./crc32c.ts";
import { Damage, damageIn } from "./database.ts";
import { errorCode, namesIn } from "./disk.ts";
import { snappyDecompress } from "./snappy.ts";

/*
 * LevelDB's own files, read without LevelDB. It maps tables into memory and trusts their indexes
 * without checking a single checksum: a damaged index makes it abort the process, a bad sector is a
 * SIGBUS, a torn log silently loses records. So a queue opens no directory before this has found
 * it sound, and salvages what is not sound from here.
 */

const logBlock = 32 * 1024;
const logHeader = 7;
const tableFooter = 48;
const blockTrailer = 5;
const tableName = /^\d+\.(ldb|sst)$/;
const tableMagic = Buffer.from("57fb808b247547db", "hex");

/**
 * Throws Damage, naming the file, unless every byte that LevelDB would read from the directory
 * holds. True when a log ends within a record: a write that was cut off, or a log cut short.
 */
export async function verifyFiles(directory: string): Promise<boolean> {
  const names = await namesIn(directory);
  const current = (await readSound(directory, "CURRENT")).toString("latin1");
  if (!/^MANIFEST-\d+\n$/.test(current))
    throw new Damage(`${directory}: CURRENT names no manifest`);
  const manifest = readLog(await readSound(directory, current.trim()));
  if (!manifest.sound) throw new Damage(`${directory}: ${current.trim()} does not hold`);
  const { tables, firstLog } = readManifest(manifest.records, directory);
  for (const number of tables) {
    const name = names.find((name) => tableName.test(name) && numberOf(name) === number);
    if (!name) throw new Damage(`${directory}: table ${number} is missing`);
    const { sound } = readTable(await readSound(directory, name));
    if (!sound) throw new Damage(`${directory}: ${name} does not hold`);
  }
  const logs = names.filter((name) => name.endsWith(".log") && numberOf(name) >= firstLog);
  if (firstLog > 0 && !logs.some((name) => numberOf(name) === firstLog)) {
    // Or the manifest is cut short: with its last entry gone it names a log that is long deleted.
    throw new Damage(`${directory}: log ${firstLog} is missing`);
  }
  let anyTorn = false;
  for (const name of logs) {
    const { sound, torn } = readLog(await readSound(directory, name));
    if (!sound) throw new Damage(`${directory}: ${name} does not hold`);
    anyTorn ||= torn;
  }
  return anyTorn;
}

/** The contents of all tables and logs of a directory, sound or not, decompressed, one file at a time. */
export async function* stretches(directory: string): AsyncGenerator<Buffer> {
  for (const name of await namesIn(directory)) {
    const table = tableName.test(name);
    if (!table && !name.endsWith(".log")) continue;
    const bytes = await readFile(path.join(directory, name)).catch(() => undefined); // a bad sector
    if (!bytes) continue;
    if (table) yield* readTable(bytes).blocks();
    else yield Buffer.concat(readLog(bytes).records);
  }
}

async function readSound(directory: string, name: string): Promise<Buffer> {
  try {
    return await readFile(path.join(directory, name));
  } catch (error) {
    if (["ENOENT", "EISDIR", "ENOTDIR"].includes(errorCode(error) ?? "")) {
      throw new Damage(`${directory}: ${name} is missing`, { cause: error });
    }
    throw damageIn(error) ?? error;
  }
}

function numberOf(name: string): number {
  return Number.parseInt(name, 10);
}

/** A log is a row of 32 KiB blocks of checksummed fragments; one cut short at the very end is normal. */
function readLog(bytes: Buffer): { sound: boolean; torn: boolean; records: Buffer[] } {
  const records: Buffer[] = [];
  let fragments: Buffer[] = [];
  let [sound, torn] = [true, false];
  for (let block = 0; block < bytes.length; block += logBlock) {
    const blockEnd = Math.min(block + logBlock, bytes.length);
    let at = block;
    while (at + logHeader <= blockEnd) {
      const length = bytes.readUInt16LE(at + 4);
      const type = bytes.readUInt8(at + 6);
      const end = at + logHeader + length;
      if (end > blockEnd) {
        torn = blockEnd === bytes.length;
        sound &&= torn;
        break;
      }
      if (type === 0 && length === 0) break;
      const stored = unmaskCrc(bytes.readUInt32LE(at));
      if (crc32c(bytes.subarray(at + 6, end)) !== stored) sound = false;
      fragments.push(bytes.subarray(at + logHeader, end));
      if (type === 1 || type === 4) {
        records.push(Buffer.concat(fragments));
        fragments = [];
      }
      at = end;
    }
  }
  torn ||= fragments.length > 0;
  if (fragments.length > 0) records.push(Buffer.concat(fragments));
  return { sound, torn, records };
}

/** Which tables are live, and from which log on the contents are in logs only. */
function readManifest(records: Buffer[], directory: string) {
  const live = new Set<string>();
  let firstLog = 0;
  for (const record of records) {
    const read = new Varints(record);
    while (read.left > 0) {
      const tag = read.varint();
      if (tag === 1) read.slice();
      else if (tag === 2) firstLog = read.varint();
      else if (tag === 3 || tag === 4 || tag === 9) read.varint();
      else if (tag === 5) {
        read.varint();
        read.slice();
      } else if (tag === 6) live.delete(`${read.varint()}/${read.varint()}`);
      else if (tag === 7) {
        live.add(`${read.varint()}/${read.varint()}`);
        read.varint();
        read.slice();
        read.slice();
      } else throw new Damage(`${directory}: the manifest does not hold`);
    }
  }
  return { tables: [...live].map((entry) => Number(entry.split("/")[1])), firstLog };
}

/**
 * A table is a row of checksummed blocks, an index of them, and a footer that says where the index
 * is. `blocks` decompresses what can be found, sound or not.
 */
function readTable(bytes: Buffer): { sound: boolean; blocks: () => Iterable<Buffer> } {
  const footer = bytes.subarray(Math.max(0, bytes.length - tableFooter));
  const unreadable = { sound: false, blocks: () => [bytes] };
  if (footer.length < tableFooter || !footer.subarray(40).equals(tableMagic)) return unreadable;
  const read = new Varints(footer);
  const handles: [number, number][] = [[read.varint(), read.varint()]];
  const indexHandle: [number, number] = [read.varint(), read.varint()];
  const index = blockAt(bytes, indexHandle);
  if (!index?.sound) return unreadable;
  const data = indexEntries(index.content());
  handles.push(...data);
  return {
    sound: handles.every((handle) => blockAt(bytes, handle)?.sound === true),
    blocks: function* () {
      for (const handle of data) {
        const block = blockAt(bytes, handle);
        if (block) yield block.content();
      }
    },
  };
}

function blockAt(bytes: Buffer, [offset, size]: [number, number]) {
  const end = offset + size;
  if (!(end + blockTrailer <= bytes.length)) return undefined;
  const type = bytes.readUInt8(end);
  const stored = unmaskCrc(bytes.readUInt32LE(end + 1));
  return {
    sound: crc32c(bytes.subarray(offset, end + 1)) === stored,
    content: () => {
      const block = bytes.subarray(offset, end);
      return type === 1 ? snappyDecompress(block) : block;
    },
  };
}

function indexEntries(index: Buffer): [number, number][] {
  const entries: [number, number][] = [];
  const restarts = index.readUInt32LE(index.length - 4);
  const read = new Varints(index.subarray(0, index.length - 4 - 4 * restarts));
  while (read.left > 0) {
    read.varint();
    const keyBytes = read.varint();
    const valueBytes = read.varint();
    read.skip(keyBytes);
    const handle = new Varints(read.skip(valueBytes));
    entries.push([handle.varint(), handle.varint()]);
  }
  return entries;
}

/** Reads LevelDB's variable-length numbers; past the end it reads zeros. */
class Varints {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  skip(bytes: number): Buffer {
    const from = this.#at;
    this.#at += bytes;
    return this.#bytes.subarray(from, this.#at);
  }

  slice(): Buffer {
    return this.skip(this.varint());
  }
}
