import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { root } from "./root.ts";

const run = promisify(execFile);

interface Locked {
  version: string;
  integrity?: string;
}

const lock: { packages: Record<string, Locked> } = JSON.parse(
  await readFile(path.join(root, "package-lock.json"), "utf8"),
);

/** What the lock file says of a package, also of one for another platform. */
export function locked(name: string): Required<Locked> {
  const found = lock.packages[`node_modules/${name}`];
  if (!found?.integrity) throw new Error(`package-lock.json does not pin ${name}`);
  return { version: found.version, integrity: found.integrity };
}

const cache = path.join(
  process.env.XDG_CACHE_HOME || path.join(homedir(), ".cache"),
  "lumetry",
  "packages",
);

/** Where `npm ci` has put it, which has checked it; undefined for what is of another platform. */
async function installed(name: string, version: string): Promise<string | undefined> {
  const folder = path.join(root, "node_modules", name);
  const manifest = await readFile(path.join(folder, "package.json"), "utf8").catch(() => "{}");
  return JSON.parse(manifest).version === version ? folder : undefined;
}

/**
 * A folder with the files of a package of the lock file, whatever platform it is for: as it is installed
 * here, or fetched by npm once, and only taken if it has the hash that the lock file names.
 */
export async function npmPackage(name: string): Promise<string> {
  const { version, integrity } = locked(name);
  const here = await installed(name, version);
  if (here !== undefined) return here;
  const place = path.join(cache, `${name.replaceAll("/", "+")}-${version}`);
  const done = await readFile(path.join(place, ".integrity"), "utf8").catch(() => undefined);
  if (done === integrity) return path.join(place, "package");
  await mkdir(cache, { recursive: true });
  const draft = await mkdtemp(path.join(cache, ".draft-"));
  try {
    await run("npm", ["pack", "--silent", "--pack-destination", draft, `${name}@${version}`], {
      cwd: root,
    });
    const [tarball = ""] = (await run("ls", [draft])).stdout.trim().split("\n");
    const bytes = await readFile(path.join(draft, tarball));
    const [algorithm = "", wanted] = integrity.split(/-(.*)/s);
    if (createHash(algorithm).update(bytes).digest("base64") !== wanted) {
      throw new Error(`what npm fetched as ${name}@${version} is not what package-lock.json pins`);
    }
    await run("tar", ["-xzf", tarball], { cwd: draft });
    await rm(path.join(draft, tarball));
    await writeFile(path.join(draft, ".integrity"), integrity);
    await rm(place, { recursive: true, force: true });
    await rename(draft, place);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return path.join(place, "package");
}
