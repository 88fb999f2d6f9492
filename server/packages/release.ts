import { createHash, createPublicKey, verify } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";

const SUMS = "SHA256SUMS";
const LINE = /^([0-9a-f]{64}) [ *]([0-9A-Za-z][0-9A-Za-z._+-]*)$/;

/** A file of a release that is just what its list of checksums says. */
export interface ReleaseFile {
  sha256: string;
  bytes: number;
}

/** Packages as `npm run package` lays them out, found whole. */
export interface Release {
  directory: string;
  files: Map<string, ReleaseFile>;
  /** The texts of its installers, as they were when they were checked: the files may be changed since. */
  installers: Map<string, string>;
  /** What hosts check packages by: the lines of the list that are about archives. */
  checksums: string;
  /** Changes when another release takes the place of this one. */
  mark: string;
}

/** What hosts run first: small, and served with words of the deployment's filled in. */
const INSTALLER = /^install\.(sh|ps1)$/;

async function hashFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

const hashOf = (data: Buffer) => createHash("sha256").update(data).digest("hex");

/** Tells releases in one place apart without reading them. */
export async function markOf(directory: string): Promise<string> {
  const { mtimeMs, ino, size } = await stat(path.join(directory, SUMS));
  return `${mtimeMs} ${ino} ${size}`;
}

/**
 * Reads a release and checks every file of it by its checksum and, with a key, that list by its
 * signature. Throws in words for whoever runs the server.
 */
export async function readRelease(directory: string, keyFile?: string): Promise<Release> {
  const file = path.join(directory, SUMS);
  let sums: Buffer;
  let mark: string;
  try {
    mark = await markOf(directory);
    sums = await readFile(file);
  } catch (error) {
    throw new Error(
      `${directory} holds no packages (${(error as Error).message}); npm run package makes them`,
    );
  }
  if (keyFile !== undefined) await verifySums(sums, file, keyFile);
  const files = new Map<string, ReleaseFile>();
  const installers = new Map<string, string>();
  const archives: string[] = [];
  for (const line of sums.toString().split("\n").filter(Boolean)) {
    const [, sha256 = "", name = ""] = LINE.exec(line) ?? [];
    if (name === "") throw new Error(`${file} holds a line that is no checksum: ${line}`);
    const place = path.join(directory, name);
    const text = INSTALLER.test(name) ? await readFile(place).catch(() => undefined) : undefined;
    const bytes = text?.length ?? (await stat(place).catch(() => undefined))?.size;
    const found = text ? hashOf(text) : bytes !== undefined && (await hashFile(place));
    if (bytes === undefined || found !== sha256) {
      throw new Error(`${place} is not what ${SUMS} says; make or copy the packages anew`);
    }
    files.set(name, { sha256, bytes });
    if (text) installers.set(name, text.toString());
    if (/\.(tar\.gz|zip)$/.test(name)) archives.push(`${sha256}  ${name}\n`);
  }
  return { directory, files, installers, checksums: archives.join(""), mark };
}

async function verifySums(sums: Buffer, file: string, keyFile: string): Promise<void> {
  const signature = await readFile(`${file}.sig`).catch(() => undefined);
  if (!signature) throw new Error(`${file} is not signed: there is no ${file}.sig`);
  const key = createPublicKey(await readFile(keyFile));
  if (!verify(null, sums, key, signature)) {
    throw new Error(`${file} was not signed with the key in ${keyFile}, or was changed since`);
  }
}
