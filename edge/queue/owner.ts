import { mkdir, realpath } from "node:fs/promises";
import path from "node:path";
import { claimDirectory, DirectoryClaimed } from "../../lib/claim.ts";
import { DirectoryLocked, lockDirectory } from "../../lib/kernel-lock.ts";

/** Another process, or this one, has the directory open. */
export class QueueInUse extends Error {
  override name = "QueueInUse";
}

export interface Ownership extends AsyncDisposable {
  /** The directory without symbolic links. */
  directory: string;
}

/**
 * Makes this process the owner of a directory until it is disposed or the process ends. The claim
 * names the owner to others and keeps this process from opening the lock twice, which would
 * silently release it; the lock of a LevelDB directory of its own is the kernel's, so it holds
 * between containers too and, being apart, through any repair of the rest.
 */
export async function own(directory: string): Promise<Ownership> {
  await mkdir(directory, { recursive: true });
  const real = await realpath(directory);
  const advice = "stop it or choose another directory";
  let claim: Disposable;
  try {
    claim = claimDirectory(real);
  } catch (error) {
    if (!(error instanceof DirectoryClaimed)) throw error;
    throw new QueueInUse(`${error.message}; ${advice}`, { cause: error });
  }
  try {
    const lock = await lockDirectory(path.join(real, "lock"));
    return {
      directory: real,
      async [Symbol.asyncDispose]() {
        await lock[Symbol.asyncDispose]();
        claim[Symbol.dispose]();
      },
    };
  } catch (error) {
    claim[Symbol.dispose]();
    if (!(error instanceof DirectoryLocked)) throw error;
    const message = `${real} is in use by a process of another container; ${advice}`;
    throw new QueueInUse(message, { cause: error });
  }
}
