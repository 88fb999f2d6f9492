import { mkdir, open, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { range } from "./fixtures.ts";

/* What can happen to the files of a queue while nobody looks. */

export async function flip(file: string, random: () => number): Promise<void> {
  const bytes = await readFile(file);
  const at = Math.floor(random() * bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
  await writeFile(file, bytes);
}

export async function overwrite(file: string, at: number, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, "r+");
  const { size } = await handle.stat();
  await handle.write(bytes, 0, bytes.length, at < 0 ? Math.max(0, size + at) : at);
  await handle.close();
}

async function half(file: string): Promise<void> {
  const { length } = await readFile(file);
  await truncate(file, length >> 1);
}

export type Damage = (directory: string, random: () => number) => Promise<void>;

/** Does something to the files of a directory that match, or to one of them. */
export function toFiles(
  pattern: RegExp,
  harm: (file: string, random: () => number) => Promise<unknown>,
): Damage {
  return async (directory, random) => {
    const names = (await readdir(directory)).filter((name) => pattern.test(name)).sort();
    const largeFirst = names[Math.floor(random() * names.length)];
    if (!largeFirst) throw new Error(`no file ${pattern} in ${directory}`);
    await harm(path.join(directory, largeFirst), random);
  };
}

export const garbage = Buffer.from(range(1, 600).map((byte) => (byte * 197) & 0xff));
/** A footer whose index claims to be larger than any memory; LevelDB would abort the process. */
const hugeIndex = Buffer.concat([
  Buffer.from("320010ffffffffffff7f", "hex"),
  Buffer.alloc(30),
  Buffer.from("57fb808b247547db", "hex"),
]);

export const anywhere: Record<string, Damage> = {
  "CURRENT is missing": toFiles(/^CURRENT$/, (file) => rm(file)),
  "CURRENT is empty": toFiles(/^CURRENT$/, (file) => truncate(file, 0)),
  "CURRENT is garbage": toFiles(/^CURRENT$/, (file) => writeFile(file, garbage)),
  "CURRENT names another file": toFiles(/^CURRENT$/, (file) =>
    writeFile(file, "MANIFEST-999999\n"),
  ),
  "the manifest is missing": toFiles(/^MANIFEST/, (file) => rm(file)),
  "the manifest is empty": toFiles(/^MANIFEST/, (file) => truncate(file, 0)),
  "the manifest is cut in half": toFiles(/^MANIFEST/, half),
  "a bit of the manifest has flipped": toFiles(/^MANIFEST/, flip),
  "the directory is missing": (directory) => rm(directory, { recursive: true }),
  "the directory is empty": async (directory) => {
    await rm(directory, { recursive: true });
    await mkdir(directory);
  },
  "a file stands in its place": async (directory) => {
    await rm(directory, { recursive: true });
    await writeFile(directory, garbage);
  },
};

export const tables: Record<string, Damage> = {
  "a table is missing": toFiles(/\.ldb$/, (file) => rm(file)),
  "a table is empty": toFiles(/\.ldb$/, (file) => truncate(file, 0)),
  "a table is cut in half": toFiles(/\.ldb$/, half),
  "a sector of a table is zero": toFiles(/\.ldb$/, (file) =>
    overwrite(file, 4096, Buffer.alloc(4096)),
  ),
  "a sector of a table is garbage": toFiles(/\.ldb$/, (file) => overwrite(file, 8192, garbage)),
  "a table's footer is zero": toFiles(/\.ldb$/, (file) => overwrite(file, -48, Buffer.alloc(48))),
  "a table's index is said to be huge": toFiles(/\.ldb$/, (file) =>
    overwrite(file, -48, hugeIndex),
  ),
  "a table's index is garbage": toFiles(/\.ldb$/, (file) =>
    overwrite(file, -200, garbage.subarray(0, 150)),
  ),
};

export const logs: Record<string, Damage> = {
  "the log is missing": toFiles(/\.log$/, (file) => rm(file)),
  "the log is empty": toFiles(/\.log$/, (file) => truncate(file, 0)),
  "the log is cut in half": toFiles(/\.log$/, half),
  "a sector of the log is zero": toFiles(/\.log$/, (file) =>
    overwrite(file, 4096, Buffer.alloc(512)),
  ),
  "a sector of the log is garbage": toFiles(/\.log$/, (file) => overwrite(file, 512, garbage)),
};

export async function segments(directory: string): Promise<string[]> {
  const names = (await readdir(path.join(directory, "segments"))).sort();
  return names.map((name) => path.join(directory, "segments", name));
}
