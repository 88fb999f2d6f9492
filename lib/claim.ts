import { randomUUID } from "node:crypto";
import { linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { processIdentity } from "./process.ts";

/** A live process holds the directory, possibly this one. */
export class DirectoryClaimed extends Error {
  override name = "DirectoryClaimed";
  readonly pid: number;
  readonly since: Date;

  constructor(directory: string, owner: Owner) {
    super(`${directory} is in use by process ${owner.pid} since ${owner.since}`);
    this.pid = owner.pid;
    this.since = new Date(owner.since);
  }
}

interface Owner {
  pid: number;
  /** Tells the owner from a later process with the same id. */
  identity: string;
  since: string;
}

/**
 * Makes this process the only owner of an existing directory until the claim is disposed or the
 * process ends, however it ends. Throws DirectoryClaimed while a live process holds it.
 *
 * The files `owner.1`, `owner.2` … are claims; the highest one counts. A claim comes into being
 * whole, by a hard link, and only above one whose process is dead, so of several that see the same
 * dead owner one wins. Whoever finds a higher claim after its own has lost: it had looked too early.
 */
export function claimDirectory(directory: string): Disposable {
  const draft = path.join(directory, `owner.${randomUUID()}.draft`);
  const owner: Owner = {
    pid: process.pid,
    identity: processIdentity(process.pid) ?? "unknown",
    since: new Date().toISOString(),
  };
  writeFileSync(draft, JSON.stringify(owner), { flag: "wx" });
  try {
    const claim = claimWith(draft, directory);
    return { [Symbol.dispose]: () => rmSync(claim, { force: true }) };
  } finally {
    rmSync(draft, { force: true });
  }
}

function claimWith(draft: string, directory: string): string {
  const claim = (number: number) => path.join(directory, `owner.${number}`);
  for (;;) {
    const last = claims(directory).at(-1) ?? 0;
    const owner = last > 0 ? readOwner(claim(last)) : "nobody";
    if (owner === "gone") continue;
    if (owner !== "nobody" && processIdentity(owner.pid) === owner.identity) {
      throw new DirectoryClaimed(directory, owner);
    }
    const mine = last + 1;
    try {
      linkSync(draft, claim(mine));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") continue;
      throw error;
    }
    const all = claims(directory);
    if (all.at(-1) === mine) {
      for (const older of all) if (older < mine) rmSync(claim(older), { force: true });
      return claim(mine);
    }
    rmSync(claim(mine), { force: true });
  }
}

/** The numbers of all claims, ascending. */
function claims(directory: string): number[] {
  return readdirSync(directory)
    .flatMap((name) => /^owner\.(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

function readOwner(file: string): Owner | "gone" | "nobody" {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Owner;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "gone";
    // Claims are born whole, so a torn one is what a power cut left of a process that is gone.
    if (error instanceof SyntaxError) return "nobody";
    throw error;
  }
}
