import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Log } from "../../../lib/log.ts";
import { type Binaries, installedBinaries, usableBinaries } from "./binaries.ts";
import { codeOf, EmbeddedDatabaseError } from "./error.ts";
import { closedFolder, makePassable, runsAsRoot, type User, unprivilegedUser } from "./user.ts";

/** Who runs the embedded PostgreSQL, with which binaries, and where its files are. */
export interface Place {
  /** Undefined: the user of this process. */
  user: User | undefined;
  binaries: Binaries;
  /** The folder around the data; belongs to this process, the user can pass through it. */
  home: string;
  data: string;
  passwordFile: string;
  socketDirectory: string;
}

/** sockaddr_un leaves this many bytes for a path, the closing zero apart. */
const LONGEST_SOCKET_PATH = process.platform === "darwin" ? 103 : 107;
export const PORT = 5432; // only a part of the socket's name
const socketIn = (directory: string) => path.join(directory, `.s.PGSQL.${PORT}`);

/**
 * Finds the place for the database of an existing `directory`. As root, data that an unprivileged
 * user could not reach there, and binaries that it could not, go under `systemDirectory`.
 */
export async function choosePlace(
  directory: string,
  log: Log,
  systemDirectory: string,
): Promise<Place> {
  const installed = installedBinaries();
  if (!runsAsRoot()) {
    const binaries = await usableBinaries(installed, undefined, directory);
    return placeIn(makePassable(path.join(directory, "postgres")), binaries, undefined);
  }
  const name = keptElsewhere(directory);
  const elsewhere = name && path.join(systemDirectory, "databases", name);
  const here = path.join(directory, "postgres");
  const data = [here, elsewhere]
    .map((home) => home && dataIn(home))
    .find((each) => each && existsSync(each));
  const user = unprivilegedUser(data === undefined ? undefined : statSync(data));
  const binaries = await usableBinaries(installed, user, systemDirectory);
  const chosen = staysHere(here, elsewhere, user)
    ? here
    : (elsewhere ?? path.join(systemDirectory, "databases", keepElsewhere(directory)));
  const home = makePassable(chosen);
  if (chosen !== here || binaries.root !== installed.root) {
    log.info(
      { user: user.name, database: dataIn(home), binaries: binaries.root },
      `PostgreSQL runs as the user ${user.name}, who cannot reach all of its files where they were to be, so they are kept elsewhere`,
    );
  }
  for (const way of [home, binaries.root]) {
    const closed = closedFolder(way, user);
    if (closed) {
      throw new EmbeddedDatabaseError(
        `PostgreSQL cannot run as root, and the user ${user.name} cannot enter ${closed}: run "chmod o+x ${closed}", or run Lumetry as an ordinary user.`,
      );
    }
  }
  return placeIn(home, binaries, user);
}

/** Whether a database was ever made for a directory. */
export const hasData = (directory: string) =>
  existsSync(dataIn(path.join(directory, "postgres"))) || existsSync(markerIn(directory));

/** Data stays where it is; new data goes here unless the user cannot reach it. */
function staysHere(here: string, elsewhere: string | undefined, user: User): boolean {
  const directory = path.dirname(here);
  // The folder that was asked for is ours to let the user through, those above it are not.
  const isReachable = [undefined, directory].includes(closedFolder(directory, user));
  const isElsewhere = elsewhere !== undefined && existsSync(dataIn(elsewhere));
  if (!existsSync(dataIn(here)) && (isElsewhere || !isReachable)) return false;
  if (closedFolder(directory, user) === directory) {
    chmodSync(directory, (statSync(directory).mode & 0o777) | 0o011);
  }
  return true;
}

/**
 * The name under which a directory's data is kept elsewhere. It is a file in the directory, so that
 * whoever deletes the directory gets a new database, and never the old one back.
 */
const markerIn = (directory: string) => path.join(directory, "database-elsewhere");

function keptElsewhere(directory: string): string | undefined {
  const marker = markerIn(directory);
  if (!existsSync(marker)) return undefined;
  const name = readFileSync(marker, "utf8").trim();
  if (/^[0-9a-f]{16}$/.test(name)) return name;
  throw new EmbeddedDatabaseError(
    `${marker} does not name a database: put it back from a backup, or choose another --data-dir.`,
  );
}

function keepElsewhere(directory: string): string {
  const name = randomBytes(8).toString("hex");
  writeFileSync(markerIn(directory), `${name}\n`, { flush: true });
  return name;
}

const hashOf = (directory: string) =>
  createHash("sha256").update(directory).digest("hex").slice(0, 16);
const dataIn = (home: string) => path.join(home, "data");

function placeIn(home: string, binaries: Binaries, user: User | undefined): Place {
  const inside = path.join(home, "socket");
  const fits = Buffer.byteLength(socketIn(inside)) <= LONGEST_SOCKET_PATH;
  return {
    user,
    binaries,
    home,
    data: dataIn(home),
    passwordFile: path.join(home, "password"),
    socketDirectory: fits ? inside : path.join(os.tmpdir(), `lumetry-${hashOf(home)}`),
  };
}

/** Creates the folder of the socket, which only PostgreSQL's user and root may enter, or empties it. */
export function prepareSocketDirectory({ socketDirectory, user }: Place): void {
  try {
    mkdirSync(socketDirectory, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
  // The name is known to everyone and the folder above may be everyone's.
  const stats = lstatSync(socketDirectory);
  const isPrivate = stats.isDirectory() && (stats.mode & 0o077) === 0;
  if (!isPrivate || ![process.getuid?.(), user?.uid].includes(stats.uid)) {
    throw new EmbeddedDatabaseError(
      `${socketDirectory} is not a private folder of PostgreSQL's: remove it, or choose a shorter --data-dir so that the socket fits into it.`,
    );
  }
  if (user) chownSync(socketDirectory, user.uid, user.gid);
  // Their lock names a process, whose id may be another's by now.
  for (const suffix of ["", ".lock"]) {
    rmSync(`${socketIn(socketDirectory)}${suffix}`, { force: true });
  }
}
