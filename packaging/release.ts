import { readFile } from "node:fs/promises";
import path from "node:path";
import { fillBootstrap } from "../server/packages/bootstrap.ts";
import { type Assembled, assemble, projectVersion } from "./assemble.ts";
import { sha256, sumLines } from "./checksums.ts";
import type { ComponentName } from "./components.ts";
import { buildImages, imageComponents } from "./images/build.ts";
import { signSums } from "./signing.ts";
import type { Target } from "./targets.ts";
import { publisherOf, type Signer } from "./windows/authenticode.ts";
import { windowsText } from "./windows/text.ts";

export interface File {
  path: string;
  data: Buffer;
}

/** The scripts that hosts get first, by the kind of system that packages are for. */
const BOOTSTRAPS = [
  { system: "linux", file: "linux/install.sh", name: "install.sh" },
  { system: "win", file: "windows/install.ps1", name: "install.ps1" },
];

/** One archive, and beside it the list of what is inside. */
export async function pack(
  { name, entries, sbom }: Assembled,
  target: Target,
  level: number,
): Promise<File[]> {
  const inFolder = entries.map((entry) => ({ ...entry, path: `${name}/${entry.path}` }));
  return [
    {
      path: name + target.archive.extension,
      data: await target.archive.pack(inFolder, level),
    },
    { path: `${name}.cdx.json`, data: Buffer.from(sbom) },
  ];
}

/** Adds to packed files what makes a place of downloads of them: installers, checksums, their signature. */
export async function layOut(
  packed: File[],
  options: {
    version: string;
    /** Where the files will lie; "" when only whoever serves them knows. */
    baseUrl?: string | undefined;
    signingKeyFile?: string | undefined;
    signer?: Signer | undefined;
  },
): Promise<File[]> {
  const { version, baseUrl = "", signingKeyFile, signer } = options;
  const archives = packed.filter(({ path: name }) => /\.(tar\.gz|zip)$/.test(name));
  const values = { VERSION: version, CHECKSUMS: sumLines(archives), BASE_URL: baseUrl };
  const wanted = BOOTSTRAPS.filter(({ system }) =>
    archives.some(({ path: name }) => name.includes(`-${system}-`)),
  );
  const bootstraps = await Promise.all(
    wanted.map(async ({ file, name }) => {
      const text = await readFile(path.join(import.meta.dirname, file), "utf8");
      if (!name.endsWith(".ps1")) {
        return { path: name, data: Buffer.from(fillBootstrap(name, text, values)) };
      }
      const SIGNER = signer ? await publisherOf(signer) : "";
      return { path: name, data: windowsText(fillBootstrap(name, text, { ...values, SIGNER })) };
    }),
  );
  const files = [...packed, ...bootstraps];
  const sums = { path: "SHA256SUMS", data: Buffer.from(sumLines(files)) };
  if (signingKeyFile === undefined) return [...files, sums];
  const { signature, publicKey } = signSums(sums.data, signingKeyFile);
  return [
    ...files,
    sums,
    { path: "SHA256SUMS.sig", data: signature },
    { path: "signing-key.pub", data: Buffer.from(publicKey) },
  ];
}

/** Everything that a place of downloads holds, for some components and targets. */
export async function buildRelease(options: {
  components: ComponentName[];
  targets: readonly Target[];
  level: number;
  version?: string;
  /** Container images too, of those components that have one, for all processors. */
  images?: boolean;
  baseUrl?: string | undefined;
  signingKeyFile?: string | undefined;
  /** Who signs what runs on Windows; it stays unsigned, and setup refuses it, without. */
  signer?: Signer | undefined;
  onBuilt?: (line: string) => void;
}): Promise<File[]> {
  const { components, targets, level, version = projectVersion, signer, onBuilt } = options;
  for (const target of targets) await target.check?.();
  // A name that will not do is told before anything is built.
  if (signer) await publisherOf(signer);
  const packed: File[] = [];
  for (const target of targets) {
    for (const component of components.filter((each) => target.components.includes(each))) {
      const assembled = await assemble(component, target, version, signer);
      const files = await pack(assembled, target, level);
      packed.push(...files);
      for (const { path: name, data } of files.slice(0, 1)) {
        onBuilt?.(`${name}  ${(data.length / 1e6).toFixed(1)} MB  sha256:${sha256(data)}`);
      }
    }
  }
  if (options.images) {
    const chosen = imageComponents.filter((each) => components.includes(each));
    const notify = onBuilt && { onBuilt };
    packed.push(...(await buildImages({ components: chosen, level, version, ...notify })));
  }
  return layOut(packed, { ...options, version });
}
