import { readFile } from "node:fs/promises";

/** What a loaded collector says that it appended; see loaded-edge.ts. */
export interface Ledger {
  /** Samples that certainly were appended. */
  done: Set<number>;
  /** Samples that may have been: the process died between asking for one and the next. */
  ambiguous: Set<number>;
}

export async function readLedger(file: string): Promise<Ledger> {
  const lines = await readFile(file, "utf8");
  const numbers = (word: string) =>
    new Set(Array.from(lines.matchAll(new RegExp(`^${word} (\\d+)$`, "gm")), ([, n]) => Number(n)));
  const done = numbers("done");
  return { done, ambiguous: numbers("intent").difference(done) };
}
