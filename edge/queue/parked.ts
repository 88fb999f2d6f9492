import { readFile } from "node:fs/promises";
import path from "node:path";
import { writeDurably } from "../../lib/durable-file.ts";
import { makeDirectory, namesIn, removeTree, sizeOf } from "./disk.ts";
import type { Frame } from "./frame.ts";

/**
 * Records that the server can never read, one file each (a line of JSON that says what and why,
 * then the payload), for people to look at. Bounded: the oldest go first, and what is larger than
 * the whole folder may be is not kept at all. They are already counted as drops.
 */
export class ParkedRecords {
  readonly #directory: string;
  readonly #mostBytes: number;
  #points = 0;

  constructor(directory: string, mostBytes: number) {
    this.#directory = path.join(directory, "parked");
    this.#mostBytes = mostBytes;
  }

  /** Points in the records that are still kept. */
  get points(): number {
    return this.#points;
  }

  async load(): Promise<void> {
    const names = await namesIn(this.#directory);
    this.#points = names.reduce((sum, name) => sum + pointsOf(name), 0);
  }

  async add({ start, points, startTime, endTime, clockOffsetMs, payload }: Frame, reason: string) {
    const { sequence } = start;
    const about = { sequence, reason, points, startTime, endTime, clockOffsetMs };
    const content = Buffer.concat([Buffer.from(`${JSON.stringify(about)}\n`), payload]);
    await makeDirectory(this.#directory);
    await this.#makeRoom(content.length);
    if (content.length > this.#mostBytes) return;
    await writeDurably(path.join(this.#directory, nameOf(sequence, points)), content);
    await this.load();
  }

  /** What is kept, oldest first, as it was written. */
  async list(): Promise<Buffer[]> {
    const names = await namesIn(this.#directory);
    return Promise.all(names.map((name) => readFile(path.join(this.#directory, name))));
  }

  async #makeRoom(bytes: number): Promise<void> {
    let total = bytes + (await sizeOf(this.#directory));
    for (const name of await namesIn(this.#directory)) {
      if (total <= this.#mostBytes) break;
      const file = path.join(this.#directory, name);
      total -= await sizeOf(file);
      await removeTree(file);
    }
    await this.load();
  }
}

function nameOf(sequence: number, points: number): string {
  return `${sequence.toString().padStart(16, "0")}-${points}`;
}

function pointsOf(name: string): number {
  const [, points] = /^\d{16}-(\d+)$/.exec(name) ?? [];
  return Number(points ?? 0);
}
