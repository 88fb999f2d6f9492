import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { CliError } from "./errors.ts";

/** A server that somebody has signed in to. */
export interface SavedServer {
  /** An origin, such as "https://lumetry.example.com:8443". */
  url: string;
  /** What to trust in place of the system's authorities; absolute, or from the file's folder. */
  caFile?: string;
  /** The secret; absent once signed out. */
  session?: string;
  email?: string;
}

/** The servers that one file knows, the current one first. */
export interface SessionFile {
  file: string;
  /** Made by `lumetry up` for a folder, or by `lumetry login` for a person. */
  kind: "folder" | "person";
  servers: SavedServer[];
}

export interface Whereabouts {
  /** The folder the command was typed in. */
  directory: string;
  environment: Record<string, string | undefined>;
}

/** Files that exist and may be believed, the nearest first, and what to say about the others. */
export function findSessionFiles(at: Whereabouts): { files: SessionFile[]; warnings: string[] } {
  const warnings: string[] = [];
  const files: SessionFile[] = [];
  const folderFile = nearestFolderFile(at.directory);
  if (folderFile) {
    const doubt = whyNotBelieved(folderFile);
    if (doubt) warnings.push(`${folderFile} is left aside: ${doubt}`);
    else {
      const found = readSessionFile(folderFile, "folder");
      // Anybody can put a file into a folder that is copied or cloned; ours only ever names this machine.
      const local = found.servers.filter(({ url }) => isThisMachine(url));
      if (local.length < found.servers.length) {
        warnings.push(`${folderFile} names servers on other machines; those are left aside`);
      }
      if (local.length > 0) files.push({ ...found, servers: local });
    }
  }
  const personal = personalFile(at);
  if (statOf(personal)) files.push(readSessionFile(personal, "person"));
  return { files, warnings };
}

/** Where `lumetry login` saves. */
export function personalFile({ environment }: Pick<Whereabouts, "environment">): string {
  const base =
    environment.XDG_CONFIG_HOME || path.join(environment.HOME || os.homedir(), ".config");
  return path.join(base, "lumetry", "cli.json");
}

export const folderFile = (directory: string) => path.join(directory, "cli.json");

/** Puts a server first in a file, in place of what the file knew about it; only its owner can read it. */
export function saveServer(file: string, saved: SavedServer): void {
  const others = statOf(file)
    ? readSessionFile(file, "person").servers.filter(({ url }) => url !== saved.url)
    : [];
  writeSessionFile(file, [saved, ...others]);
}

/** Forgets a session, but neither the server nor what to trust. */
export function forgetSession(file: string, url: string): void {
  const { servers } = readSessionFile(file, "person");
  writeSessionFile(
    file,
    servers.map((server) => {
      if (server.url !== url) return server;
      const { session, ...rest } = server;
      return rest;
    }),
  );
}

/** Writes a file that only its owner can read, whole or not at all. */
export function writePrivately(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}.draft`;
  rmSync(draft, { force: true });
  writeFileSync(draft, text, { mode: 0o600, flag: "wx" });
  chmodSync(draft, 0o600);
  renameSync(draft, file);
}

/** Makes a file know these servers and no others. */
export function writeSessionFile(file: string, servers: SavedServer[]): void {
  writePrivately(file, `${JSON.stringify({ servers }, null, 2)}\n`);
}

function readSessionFile(file: string, kind: SessionFile["kind"]): SessionFile {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new CliError(`${file} cannot be read: ${(error as Error).message}.`, {
      hint: 'Remove it, and sign in again with "lumetry login".',
    });
  }
  const servers = (parsed as { servers?: unknown } | null)?.servers;
  if (!Array.isArray(servers)) {
    throw new CliError(`${file} is not a file of this program's.`, {
      hint: 'Remove it, and sign in again with "lumetry login".',
    });
  }
  return { file, kind, servers: servers.flatMap((entry) => readSaved(entry, file) ?? []) };
}

function readSaved(entry: unknown, file: string): SavedServer | undefined {
  if (typeof entry !== "object" || entry === null) return undefined;
  const fields = entry as Record<string, unknown>;
  const string = (name: string) => (typeof fields[name] === "string" ? fields[name] : undefined);
  const url = string("url");
  if (url === undefined || !URL.canParse(url)) return undefined;
  const [caFile, session, email] = [string("caFile"), string("session"), string("email")];
  return {
    url: new URL(url).origin,
    ...(caFile !== undefined && { caFile: path.resolve(path.dirname(file), caFile) }),
    ...(session !== undefined && { session }),
    ...(email !== undefined && { email }),
  };
}

function nearestFolderFile(directory: string): string | undefined {
  for (let at = path.resolve(directory); ; at = path.dirname(at)) {
    const file = folderFile(path.join(at, ".lumetry"));
    if (statOf(file)) return file;
    if (at === path.dirname(at)) return undefined;
  }
}

/** Why a file, or the folder it lies in, could have been written by somebody else. */
function whyNotBelieved(file: string): string | undefined {
  if (process.getuid === undefined) return undefined;
  for (const each of [file, path.dirname(file)]) {
    const stat = statOf(each);
    if (!stat) return "it cannot be looked at";
    if (stat.isSymbolicLink()) return `${each} is a symbolic link`;
    if (stat.uid !== process.getuid()) return `${each} belongs to another user`;
    if (stat.mode & 0o022) return `others may write to ${each}`;
  }
  return undefined;
}

function statOf(file: string): Stats | undefined {
  return lstatSync(file, { throwIfNoEntry: false });
}

/** Whether a URL leads to the machine that this runs on, whatever its DNS says. */
export function isThisMachine(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { hostname } = new URL(url);
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
}
