import { chmodSync, mkdirSync, readFileSync, realpathSync, type Stats, statSync } from "node:fs";
import path from "node:path";
import { EmbeddedDatabaseError, ownDatabaseHint } from "./error.ts";

/** An account that PostgreSQL runs as, since it refuses to run as root. */
export interface User {
  name: string;
  uid: number;
  gid: number;
}

export const runsAsRoot = () => process.getuid?.() === 0;

function accounts(): User[] {
  return readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .map(([name = "", , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
}

/** The account in root's place: the owner of data that is there already, else lumetry, else nobody. */
export function unprivilegedUser(dataOwner: Stats | undefined): User {
  const all = accounts();
  if (dataOwner && dataOwner.uid !== 0) {
    const { uid, gid } = dataOwner;
    return { name: all.find((user) => user.uid === uid)?.name ?? `uid ${uid}`, uid, gid };
  }
  for (const name of ["lumetry", "nobody"]) {
    const user = all.find((account) => account.name === name && account.uid !== 0);
    if (user) return user;
  }
  throw new EmbeddedDatabaseError(
    `PostgreSQL refuses to run as root and /etc/passwd has neither a user lumetry nor nobody: add one, run Lumetry as an ordinary user, ${ownDatabaseHint}.`,
  );
}

function grants(stats: Stats, user: User, bit: 1 | 4): boolean {
  const shift = stats.uid === user.uid ? 6 : stats.gid === user.gid ? 3 : 0;
  return ((stats.mode >> shift) & bit) === bit;
}

/** The folder at or above `target` that the user may not enter; undefined when the way is free. */
export function closedFolder(target: string, user: User): string | undefined {
  const real = realpathSync(target);
  const isFolder = statSync(real).isDirectory();
  const ways: string[] = [];
  for (let at = isFolder ? real : path.dirname(real); ; at = path.dirname(at)) {
    ways.unshift(at);
    if (at === path.dirname(at)) break;
  }
  return ways.find((folder) => !grants(statSync(folder), user, 1));
}

export const canRead = (file: string, user: User) => grants(statSync(file), user, 4);

/** Creates what is missing of a folder; the folders it makes let other users pass, not look. */
export function makePassable(directory: string): string {
  const first = mkdirSync(directory, { recursive: true, mode: 0o711 });
  if (first && runsAsRoot()) {
    for (let at = directory; at.length >= first.length; at = path.dirname(at)) chmodSync(at, 0o711);
  }
  return realpathSync(directory);
}
