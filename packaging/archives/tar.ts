import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { type Entry, epochSeconds } from "../entry.ts";

const BLOCK = 512;
const compress = promisify(gzip);

/** A name as ustar keeps it: at most 100 bytes, and at most 155 of folders before them. */
function splitName(path: string): { name: string; prefix: string } {
  if (Buffer.byteLength(path) <= 100) return { name: path, prefix: "" };
  for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155) return { name, prefix };
  }
  throw new Error(`the path of ${path} is too long for an archive`);
}

function modeOf(entry: Entry): number {
  if ("link" in entry) return 0o777;
  if ("folder" in entry) return entry.folder === "anybody" ? 0o1777 : 0o700;
  return entry.isProgram ? 0o755 : 0o644;
}

const kindOf = (entry: Entry) => ("link" in entry ? "2" : "folder" in entry ? "5" : "0");

function header(entry: Entry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, digits: number) =>
    block.write(value.toString(8).padStart(digits, "0"), at);
  const { name, prefix } = splitName(entry.path);
  const owner = "folder" in entry && entry.folder !== "anybody" ? entry.folder : 0;
  block.write(name, 0);
  octal(modeOf(entry), 100, 7);
  octal(owner, 108, 7);
  octal(owner, 116, 7);
  octal(size, 124, 11);
  octal(epochSeconds, 136, 11);
  block.fill(" ", 148, 156); // the checksum counts as spaces
  block.write(kindOf(entry), 156);
  if ("link" in entry) block.write(entry.link, 157, 100);
  block.write("ustar\x0000", 257);
  if (owner === 0) {
    block.write("root", 265);
    block.write("root", 297);
  }
  block.write(prefix, 345);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  );
  block.write("\0 ", 154);
  return block;
}

/** A tar archive in the ustar form, of sorted entries. */
export function tar(entries: Entry[]): Buffer {
  const blocks = entries.flatMap((entry) => {
    const data = "data" in entry ? entry.data : Buffer.alloc(0);
    const padding = Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK);
    return [header(entry, data.length), data, padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

/** The same, compressed with gzip: every Linux host can unpack that, and few minimal ones anything else. */
export const tarGz = (entries: Entry[], level: number): Promise<Buffer> =>
  compress(tar(entries), { level });
