import { readFile } from "node:fs/promises";
import path from "node:path";
import { writeDurably } from "../../lib/durable-file.ts";
import type { Log } from "../../lib/log.ts";
import { assertBalanced, type Books } from "./books.ts";
import {
  type Catalog,
  type Change,
  catalogFrom,
  changed,
  entries,
  type Mark,
  seal,
  unseal,
} from "./catalog.ts";
import { Damage, type Database, damageIn, noticeDamage, openDatabase } from "./database.ts";
import { errorCode, makeDirectory, namesIn, removeTree, sizeOf } from "./disk.ts";
import { verifyFiles } from "./level-files.ts";
import type { Quarantine } from "./quarantine.ts";
import type { Sizes } from "./sizes.ts";

const longestDiary = 64 * 1024;

export interface Loaded {
  /** Undefined when nothing is known: a new directory, or all bookkeeping was lost. */
  catalog: Catalog | undefined;
  mark: Mark | undefined;
}

/**
 * The small LevelDB directory of the catalog and the mark, and beside it the file `checkpoint`: a
 * copy of the catalog that is written before anything is deleted from the disk. So bookkeeping that
 * is lost or has fallen back is replaced by a copy that still knows of every deletion.
 */
export class Meta {
  readonly #directory: string;
  readonly #sizes: Sizes;
  readonly #quarantine: Quarantine;
  readonly #log: Log;
  #database: Database | undefined;
  #catalog: Catalog | undefined;
  /** Set by a failed write: LevelDB's log may then end in half an entry, so all is written anew. */
  #unsure = false;
  #mark: Promise<void> = Promise.resolve();

  constructor(directory: string, sizes: Sizes, quarantine: Quarantine, log: Log) {
    this.#directory = directory;
    this.#sizes = sizes;
    this.#quarantine = quarantine;
    this.#log = log;
  }

  get catalog(): Catalog {
    if (!this.#catalog) throw new Error("The queue's catalog was used before it was recovered.");
    return this.#catalog;
  }

  get books(): Books {
    return this.catalog.books;
  }

  async load(): Promise<Loaded> {
    const checkpoint = await this.#readCheckpoint();
    try {
      const stored = await this.#readDatabase();
      const behind = (stored.catalog?.books.version ?? -1) < (checkpoint?.books.version ?? -1);
      if (!behind) return stored;
      this.#log.warn(
        { directory: this.#directory },
        "The queue's bookkeeping had fallen back; its checkpoint is used.",
      );
      return { catalog: checkpoint, mark: stored.mark };
    } catch (error) {
      const damage = damageIn(error);
      if (!damage) throw error;
      this.#log.warn({ err: damage }, "The queue's bookkeeping is damaged and was set aside.");
      await this.#database?.close();
      this.#database = undefined;
      await this.#quarantine.take(this.#directory);
      return { catalog: checkpoint, mark: undefined };
    }
  }

  async #readDatabase(): Promise<Loaded> {
    if ((await namesIn(this.#directory)).length === 0) {
      await removeTree(this.#directory); // it may be no directory at all
      return { catalog: undefined, mark: undefined };
    }
    await verifyFiles(this.#directory);
    this.#database = await this.#open(false);
    const all: [string, unknown][] = [];
    for (const [key, bytes] of await this.#stored()) {
      const value = unseal(key, bytes);
      if (value === undefined) throw new Damage(`meta: the entry ${key} does not hold`);
      all.push([key, value]);
    }
    const mark = all.find(([key]) => key === "mark")?.[1] as Mark | undefined;
    return { catalog: catalogFrom(all), mark };
  }

  #open(fresh: boolean): Promise<Database> {
    return openDatabase(this.#directory, { fresh, writeBufferSize: this.#sizes.metaBuffer });
  }

  async #stored(): Promise<[string, Buffer][]> {
    const found: [string, Buffer][] = [];
    const iterator = this.#database?.iterator({});
    try {
      for (;;) {
        const next = (await noticeDamage(async () => iterator?.nextv(256))) ?? [];
        if (next.length === 0) return found;
        for (const [key, value] of next) found.push([key.toString(), value]);
      }
    } finally {
      await iterator?.close();
    }
  }

  async #readCheckpoint(): Promise<Catalog | undefined> {
    try {
      const all = unseal("checkpoint", await readFile(this.#checkpointFile));
      return all === undefined ? undefined : catalogFrom(all as [string, unknown][]);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") {
        this.#log.warn({ err: error }, "The queue's checkpoint cannot be read.");
      }
      return undefined;
    }
  }

  get #checkpointFile(): string {
    return path.join(path.dirname(this.#directory), "checkpoint");
  }

  /** Copies the catalog; to be awaited before anything that it no longer names is deleted. */
  async checkpoint(): Promise<void> {
    await writeDurably(this.#checkpointFile, seal("checkpoint", [...entries(this.catalog)]));
  }

  /** Makes a change durable, whole; after an error nothing has changed. */
  async commit(change: Change): Promise<void> {
    const before = this.catalog;
    const after = changed(before, change, this.#sizes.drops);
    assertBalanced(after.books);
    if (this.#unsure) await this.replace(before);
    await this.#write([...entries(after, before)], true);
    this.#catalog = after;
  }

  /** Writes the whole catalog anew, whatever was there. */
  async replace(catalog: Catalog): Promise<void> {
    assertBalanced(catalog.books);
    this.#catalog = catalog;
    if (this.#unsure) await this.#database?.close();
    if (this.#unsure || !this.#database) await this.#reopen();
    const wanted = [...entries(catalog)];
    const keys = new Set(wanted.map(([key]) => key)).add("mark");
    const stale = (await this.#stored()).filter(([key]) => !keys.has(key));
    await this.#write(
      [...wanted, ...stale.map(([key]): [string, undefined] => [key, undefined])],
      true,
    );
    this.#unsure = false;
  }

  async #reopen(): Promise<void> {
    this.#database = undefined;
    try {
      if ((await namesIn(this.#directory)).length > 0) {
        await verifyFiles(this.#directory);
        this.#database = await this.#open(false);
        return;
      }
    } catch (error) {
      if (!damageIn(error)) throw error;
      await this.#quarantine.take(this.#directory);
    }
    await makeDirectory(this.#directory);
    this.#database = await this.#open(true);
  }

  /** Notes how far the open segment is durable, without waiting for the disk. */
  note(mark: Mark): void {
    if (this.#unsure) return;
    this.#mark = this.#write([["mark", mark]], false).catch((error) => {
      this.#log.warn({ err: error }, "The queue could not note how far it is durable.");
    });
  }

  async #write(changes: [string, unknown][], sync: boolean): Promise<void> {
    const operations = changes.map(([key, value]) =>
      value === undefined
        ? { type: "del" as const, key: Buffer.from(key) }
        : { type: "put" as const, key: Buffer.from(key), value: seal(key, value) },
    );
    try {
      await this.#database?.batch(operations, { sync });
    } catch (error) {
      this.#unsure = true;
      throw error;
    }
  }

  /** Begins LevelDB's own diary anew, which only grows otherwise, when it has become long. */
  async trim(): Promise<void> {
    const [diary, former] = ["LOG", "LOG.old"].map((name) => path.join(this.#directory, name));
    if (!diary || !former || (await sizeOf(diary)) < longestDiary) return;
    this.#unsure = true;
    await this.replace(this.catalog);
    await removeTree(former);
  }

  async close(): Promise<void> {
    await this.#mark;
    await this.#database?.close();
  }
}
