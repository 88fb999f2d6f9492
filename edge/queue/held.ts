import { readFile } from "node:fs/promises";
import path from "node:path";
import { writeDurably } from "../../lib/durable-file.ts";
import { errorCode, removeTree } from "./disk.ts";
import { encodeRecord, type Frame, scanFrames } from "./frame.ts";

/**
 * The one file of records that were in flight when their segment had to be dropped: whether they
 * arrived is not known, so they are kept until that batch is settled.
 */
export class HeldRecords {
  readonly #file: string;

  constructor(directory: string) {
    this.#file = path.join(directory, "held");
  }

  async write(frames: Frame[]): Promise<void> {
    await writeDurably(
      this.#file,
      Buffer.concat(frames.map((frame) => encodeRecord(frame.start, frame))),
    );
  }

  /** The intact ones from one sequence to another. */
  async read(first: number, last: number): Promise<Frame[]> {
    try {
      const all = [...scanFrames(await readFile(this.#file))];
      return all.filter(({ start }) => start.sequence >= first && start.sequence <= last);
    } catch (error) {
      if (errorCode(error) === "ENOENT" || errorCode(error) === "EIO") return [];
      throw error;
    }
  }

  async remove(): Promise<void> {
    await removeTree(this.#file);
  }
}
