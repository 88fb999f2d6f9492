import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { locked, npmPackage } from "./npm-package.ts";

/** Somebody else's work that is inside a package. */
export interface Part {
  name: string;
  version: string;
  /** An SPDX expression. */
  license: string;
  /** SHA-512 of what npm published, in hexadecimal digits. */
  sha512: string;
  /** The texts that have to go along, by file name. */
  texts: { name: string; text: Buffer }[];
}

const LICENSE_FILES = /^(licen[cs]e|copying|notice|copyright)/i;

interface Manifest {
  version: string;
  license?: string;
  author?: string | { name: string };
}

/** Of a package that holds no text of its license, what it declares. */
function declaration(name: string, { version, license, author }: Manifest): string {
  const who = typeof author === "string" ? author : (author?.name ?? "its contributors");
  return `${name} ${version}, by ${who}, is licensed under ${license}, as its package.json declares.
The package holds no text of that license; https://spdx.org/licenses/ has it.
`;
}

async function describe(name: string, folder: string): Promise<Part> {
  const manifest: Manifest = JSON.parse(await readFile(path.join(folder, "package.json"), "utf8"));
  const files = (await readdir(folder, { withFileTypes: true })).filter(
    (entry) => entry.isFile() && LICENSE_FILES.test(entry.name),
  );
  const texts = await Promise.all(
    files.map(async (file) => ({
      name: file.name,
      text: await readFile(path.join(folder, file.name)),
    })),
  );
  if (!manifest.license) throw new Error(`${name} does not say under which license it comes`);
  if (texts.length === 0) {
    texts.push({ name: "NOTICE", text: Buffer.from(declaration(name, manifest)) });
  }
  const [, digest = ""] = locked(name).integrity.split(/-(.*)/s);
  return {
    name,
    version: manifest.version,
    license: manifest.license,
    sha512: Buffer.from(digest, "base64").toString("hex"),
    texts: texts.sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

/** "node_modules/@scope/name/dist/index.js" is of "@scope/name"; of a package inside a package, the inner one. */
function packageOf(input: string): string | undefined {
  const at = input.lastIndexOf("node_modules/");
  if (at < 0) return undefined;
  const [first = "", second = ""] = input.slice(at + "node_modules/".length).split("/");
  return first.startsWith("@") ? `${first}/${second}` : first;
}

/** The packages that bundled files came from, and those that are shipped as they are; each once. */
export async function listParts(inputs: string[], shipped: string[]): Promise<Part[]> {
  const bundled = inputs.map(packageOf).filter((name) => name !== undefined);
  const names = [...new Set([...bundled, ...shipped])].sort();
  return Promise.all(names.map(async (name) => describe(name, await npmPackage(name))));
}
