import { lstat, mkdir, open, readdir, rm } from "node:fs/promises";
import path from "node:path";

export function errorCode(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}

/** Bytes of all files in a directory and below; what vanishes meanwhile counts nothing. */
export async function sizeOf(file: string): Promise<number> {
  try {
    const stat = await lstat(file);
    if (!stat.isDirectory()) return stat.size;
    const names = await readdir(file);
    const sizes = await Promise.all(names.map((name) => sizeOf(path.join(file, name))));
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return 0;
    throw error;
  }
}

export async function exists(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

/** The names in a directory, sorted; none when it is missing or something else. */
export async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return [];
    throw error;
  }
}

/** Makes creations, renames and removals in a directory survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === "win32") return; // directories cannot be opened there
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function makeDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await syncDirectory(path.dirname(directory));
}

export async function removeTree(file: string): Promise<void> {
  await rm(file, { recursive: true, force: true });
}
