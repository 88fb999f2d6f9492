import path from "node:path";
import { sha256 } from "../checksums.ts";
import type { Entry } from "../entry.ts";
import { type Signer, signFile } from "./authenticode.ts";
import { windowsText } from "./text.ts";

/** What Windows knows signatures of; setup.ps1 has the same list. */
const SIGNED = new Set([".exe", ".dll", ".node", ".ps1", ".psd1"]);
export const RUNTIME = "bin/node.exe";

interface File {
  path: string;
  data: Buffer;
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** The list that setup verifies everything by, in PowerShell's form for data since that can be signed. */
function manifest(version: string, files: File[]): Buffer {
  const lines = files.map(({ path: file, data }) => `        ${quoted(file)} = '${sha256(data)}'`);
  return windowsText(`@{
    Version = ${quoted(version)}
    Runtime = ${quoted(RUNTIME)}
    Files = @{
${lines.join("\n")}
    }
}
`);
}

/**
 * Signs what can be signed, but for Node's runtime, which bears its makers' signature, and adds a signed
 * manifest of all. Without a signer everything stays bare: setup refuses such a package.
 */
export async function seal(
  version: string,
  entries: Entry[],
  signer: Signer | undefined,
): Promise<Entry[]> {
  const sign = async (file: File): Promise<File> => {
    const isOurs = SIGNED.has(path.posix.extname(file.path)) && file.path !== RUNTIME;
    if (!isOurs || !signer) return file;
    return { ...file, data: await signFile(file.path, file.data, signer) };
  };
  const files: File[] = [];
  for (const entry of entries) {
    if (!("data" in entry)) throw new Error(`${entry.path}: packages for Windows hold files only`);
    files.push(await sign(entry));
  }
  const list = await sign({ path: "manifest.psd1", data: manifest(version, files) });
  return [...files, list];
}
