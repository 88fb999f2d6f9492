/** One file of a package. Paths use "/" and are relative to the folder that the archive unpacks to. */
export type Entry =
  | { path: string; isProgram?: boolean; data: Buffer }
  /** A symbolic link, to a path relative to where it lies. */
  | { path: string; link: string }
  /** A folder that a user, by number, may write to, or anybody may; others need not be named. */
  | { path: string; folder: number | "anybody" };

/** By path, as archives and lists of checksums hold them; two of one path are a mistake in the builder. */
export function sortEntries(entries: Entry[]): Entry[] {
  const sorted = entries.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const twice = sorted.find(({ path }, at) => path === sorted[at + 1]?.path);
  if (twice) throw new Error(`two files of a package are called ${twice.path}`);
  return sorted;
}

/**
 * The time that every file of a package bears, in seconds since 1970: SOURCE_DATE_EPOCH, or the
 * first that a zip archive can tell. Packages are then the same whenever they are built.
 */
export const epochSeconds = Number(process.env.SOURCE_DATE_EPOCH ?? Date.UTC(1980, 0, 1) / 1000);
