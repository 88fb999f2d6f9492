import { frameBytes, type QueueRecord } from "./frame.ts";
import type { Sizes } from "./sizes.ts";

interface Waiting {
  record: QueueRecord;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Appends that arrive while one group is being made durable become the next group and share its fsync. */
export class Appender {
  readonly #sizes: Sizes;
  readonly #write: (records: QueueRecord[]) => Promise<void>;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;

  constructor(sizes: Sizes, write: (records: QueueRecord[]) => Promise<void>) {
    this.#sizes = sizes;
    this.#write = write;
  }

  append(record: QueueRecord): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ record, resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  /** Settles when every append so far has. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // all appends of this turn belong to the first group
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      try {
        await this.#write(group.map(({ record }) => record));
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#running = undefined;
  }

  #takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { record } of this.#waiting) {
      bytes += frameBytes(record);
      if (count > 0 && bytes > this.#sizes.group) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }
}
