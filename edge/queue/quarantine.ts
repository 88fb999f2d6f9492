import { rename } from "node:fs/promises";
import path from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { exists, makeDirectory, namesIn, removeTree, sizeOf, syncDirectory } from "./disk.ts";

/** Where damaged files go, for people to look at: a bounded folder that forgets the oldest. */
export class Quarantine {
  readonly #directory: string;
  readonly #mostBytes: number;
  readonly #clock: Clock;

  constructor(directory: string, mostBytes: number, clock: Clock) {
    this.#directory = directory;
    this.#mostBytes = mostBytes;
    this.#clock = clock;
  }

  /** Moves a file or directory here, if it is there, and makes room. */
  async take(file: string): Promise<void> {
    if (!(await exists(file))) return;
    await makeDirectory(this.#directory);
    const last = (await namesIn(this.#directory)).at(-1) ?? "0";
    const stamp = Math.max(this.#clock.now(), Number.parseInt(last, 10) + 1);
    const name = `${String(stamp).padStart(15, "0")}-${path.basename(file)}`;
    await rename(file, path.join(this.#directory, name));
    await syncDirectory(path.dirname(file));
    await this.makeRoom(0);
  }

  /** Forgets the oldest until `bytes` more would fit. */
  async makeRoom(bytes: number): Promise<void> {
    let total = bytes + (await sizeOf(this.#directory));
    for (const name of await namesIn(this.#directory)) {
      if (total <= this.#mostBytes) return;
      const file = path.join(this.#directory, name);
      total -= await sizeOf(file);
      await removeTree(file);
    }
  }
}
