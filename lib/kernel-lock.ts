import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { Level } from "level";

/** The directory is locked by another process. */
export class DirectoryLocked extends Error {
  override name = "DirectoryLocked";
}

/**
 * Locks a directory of its own, made if it is missing, until it is disposed of or the process ends.
 * The lock is the kernel's, so that it also holds between containers that share a volume, where a
 * process id means nothing. It is the lock of an empty LevelDB directory, since Node has no other.
 * Never lock one twice in a process: the failed attempt would silently release it (POSIX).
 */
export async function lockDirectory(directory: string): Promise<AsyncDisposable> {
  const open = async () => {
    const level = new Level(directory, { writeBufferSize: 64 * 1024, cacheSize: 8 * 1024 });
    try {
      await level.open();
      return { [Symbol.asyncDispose]: () => level.close() };
    } catch (error) {
      await level.close();
      throw (error as Error).cause ?? error;
    }
  };
  try {
    return await open();
  } catch (error) {
    if ((error as { code?: unknown }).code === "LEVEL_LOCKED") {
      throw new DirectoryLocked(`${directory} is locked by another process`, { cause: error });
    }
    // Nothing is ever stored here, so damaged files are no loss. The lock's own file stays: an
    // owner would hold it.
    for (const name of await readdir(directory)) {
      if (name !== "LOCK") await rm(path.join(directory, name), { recursive: true, force: true });
    }
    return await open();
  }
}
