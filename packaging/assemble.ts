import { lstat, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { type Bundle, bundle } from "./bundle.ts";
import { sumLines } from "./checksums.ts";
import { COMPONENTS, type Component, type ComponentName } from "./components.ts";
import { type Entry, sortEntries } from "./entry.ts";
import { npmPackage } from "./npm-package.ts";
import { listParts, type Part } from "./parts.ts";
import { root } from "./root.ts";
import { makeSbom } from "./sbom.ts";
import type { Target } from "./targets.ts";
import type { Signer } from "./windows/authenticode.ts";

export interface Assembled {
  /** "lumetry-agent-0.1.0-linux-x64", also the name of the folder that the archive unpacks to. */
  name: string;
  entries: Entry[];
  sbom: string;
}

const manifest: { version: string; optionalDependencies: Record<string, string> } = JSON.parse(
  await readFile(path.join(root, "package.json"), "utf8"),
);
/** The version that is built unless another is asked for. */
export const projectVersion = manifest.version;

const bundles = new Map<ComponentName, Promise<Bundle[]>>();

/** Bundles do not differ between targets, so each component is bundled once. */
function bundlesOf(name: ComponentName): Promise<Bundle[]> {
  const made = bundles.get(name) ?? bundle(COMPONENTS[name]);
  bundles.set(name, made);
  return made;
}

/** Every file of a folder, but what no package needs: headers, static libraries, notes of changes. */
async function folderEntries(folder: string, as: string): Promise<Entry[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = found.filter((entry) => entry.isFile() && !/\.(a|d\.ts|md)$/.test(entry.name));
  return Promise.all(
    files.map(async ({ parentPath, name }): Promise<Entry> => {
      const file = path.join(parentPath, name);
      const place = path.posix.join(as, path.relative(folder, file).replaceAll(path.sep, "/"));
      const isProgram = ((await lstat(file)).mode & 0o100) !== 0;
      return { path: place, isProgram, data: await readFile(file) };
    }),
  );
}

/** The links that PostgreSQL's package lists, since npm cannot hold them, and a package of ours may not be written to. */
function libraryLinks(entries: Entry[]): Entry[] {
  return entries.flatMap((entry) => {
    if (!entry.path.endsWith("/pg-symlinks.json") || !("data" in entry)) return [];
    const home = path.posix.dirname(path.posix.dirname(entry.path));
    const links: { source: string; target: string }[] = JSON.parse(String(entry.data));
    return links.map(({ source, target }) => ({
      path: path.posix.join(home, target),
      link: path.posix.relative(path.posix.dirname(target), source),
    }));
  });
}

async function shippedPackages(component: Component, target: Target) {
  const names = component.packages.map((name) => name.replace("<platform>", target.name));
  const entries = await Promise.all(
    names.map(async (name) => folderEntries(await npmPackage(name), `node_modules/${name}`)),
  );
  return { names, entries: entries.flat() };
}

const textEntries = (parts: Part[]): Entry[] =>
  parts.flatMap(({ name, texts }) =>
    texts.map((text) => ({ path: `licenses/${name}/${text.name}`, data: text.text })),
  );

/** What package.json says where a program looks: its version, and which PostgreSQL belongs to it. */
function packageManifest(name: string, version: string, shipped: string[]): string {
  const wanted = Object.entries(manifest.optionalDependencies).filter(([each]) =>
    shipped.includes(each),
  );
  const text = {
    name,
    version,
    license: "Apache-2.0",
    type: "module",
    optionalDependencies: Object.fromEntries(wanted),
  };
  return `${JSON.stringify(text, null, 2)}\n`;
}

/** Everything that goes into the package of a component for a target. */
export async function assemble(
  name: ComponentName,
  target: Target,
  version = projectVersion,
  signer?: Signer | undefined,
): Promise<Assembled> {
  const component: Component = COMPONENTS[name];
  await component.prepare?.();
  const [bundled, shipped, extras, runtime] = await Promise.all([
    bundlesOf(name),
    shippedPackages(component, target),
    target.extras(name, version),
    npmPackage(target.runtime.package),
  ]);
  const parts = await listParts(
    bundled.flatMap(({ inputs }) => inputs),
    [...shipped.names, target.runtime.package, "classic-level"],
  );
  const own = `lumetry-${name}`;
  const sbom = makeSbom({ name: own, title: component.title, version }, parts);
  const folders = component.folders.map((each) => folderEntries(path.join(root, each), each));
  const prebuilds = path.join(root, "node_modules/classic-level/prebuilds");
  const bare = sortEntries([
    { path: "VERSION", data: Buffer.from(`${version}\n`) },
    { path: "package.json", data: Buffer.from(packageManifest(own, version, shipped.names)) },
    { path: "LICENSE", data: await readFile(path.join(root, "LICENSE")) },
    { path: "sbom.cdx.json", data: Buffer.from(sbom) },
    {
      path: target.runtime.path,
      isProgram: true,
      data: await readFile(path.join(runtime, target.runtime.file)),
    },
    { path: "app/classic-level.node", data: await readFile(path.join(prebuilds, target.addon)) },
    ...bundled.map((each) => ({ path: `app/${each.name}.mjs`, data: each.code })),
    ...(await Promise.all(folders)).flat(),
    ...shipped.entries,
    ...libraryLinks(shipped.entries),
    ...extras,
    ...textEntries(parts),
  ]);
  const entries = target.seal ? await target.seal(version, bare, signer) : bare;
  const files = entries.flatMap((entry) => ("data" in entry ? [entry] : []));
  const sums = { path: "SHA256SUMS", data: Buffer.from(sumLines(files)) };
  return { name: `${own}-${version}-${target.name}`, entries: [...entries, sums], sbom };
}
