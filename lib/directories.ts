import { mkdir, stat } from "node:fs/promises";
import path from "node:path";

/**
 * Makes a directory and those above it that are missing; one that is there is left as it is. Node's
 * own way of doing so spins where nothing can be made, such as in /proc.
 */
export async function makeDirectories(directory: string, mode: number): Promise<void> {
  const make = () => mkdir(directory, { mode });
  try {
    await make();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const parent = path.dirname(directory);
    if (code === "ENOENT" && parent !== directory) {
      await makeDirectories(parent, mode);
      await make();
    } else if (!(await isDirectory(directory))) throw error;
  }
}

const isDirectory = (file: string) =>
  stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );
