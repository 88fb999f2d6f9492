import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { cache } from "./rootfs.ts";

const execute = promisify(execFile);

/** Debian's stable Wine before trixie cannot run Node 24. */
const system = path.join(cache, "trixie-wine");
const template = path.join(cache, "wine-prefix");
/** Where the folder of a test is inside. */
const INSIDE = "/mnt/test";

/** Enters the system with a view of mounts of its own, which ends with the command; $1 is the test's folder. */
const ENTER = `
mount --make-rprivate / && mkdir -p "$SYSTEM${INSIDE}" &&
mount -t proc proc "$SYSTEM/proc" && mount --rbind /dev "$SYSTEM/dev" && mount -t tmpfs tmpfs "$SYSTEM/run" &&
mount --bind "$1" "$SYSTEM${INSIDE}" && shift &&
exec chroot "$SYSTEM" /usr/bin/env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/root LANG=C.UTF-8 \\
  XDG_RUNTIME_DIR=/run WINEPREFIX=${INSIDE}/prefix WINEDEBUG="$WINEDEBUG" DEBIAN_FRONTEND=noninteractive "$@"`;

function enter(
  folder: string,
  words: string[],
  { debug = "-all", into = system } = {},
): [string, string[], object] {
  const environment = { ...process.env, SYSTEM: into, WINEDEBUG: debug };
  return ["unshare", ["-m", "bash", "-c", ENTER, "enter", folder, ...words], { env: environment }];
}

async function runInside(folder: string, words: string[], into = system): Promise<string> {
  const [file, all, options] = enter(folder, words, { into });
  const { stdout } = await execute(file, all, { ...options, maxBuffer: 64 << 20 });
  return String(stdout);
}

/** Makes a Debian with Wine and osslsigncode, once; that takes minutes, and is kept. */
async function makeSystem(): Promise<void> {
  if (existsSync(system)) return;
  await mkdir(cache, { recursive: true });
  const draft = `${system}.draft`;
  await rm(draft, { recursive: true, force: true });
  await execute("debootstrap", ["--variant=minbase", "trixie", draft], { maxBuffer: 64 << 20 });
  await cp("/etc/resolv.conf", path.join(draft, "etc/resolv.conf"));
  await writeFile(path.join(draft, "etc/hosts"), "127.0.0.1 localhost\n");
  const empty = await mkdtemp(path.join(tmpdir(), "lumetry-wine-"));
  const packages = ["wine", "wine64", "osslsigncode"];
  const words = ["apt-get", "install", "-y", "--no-install-recommends", ...packages];
  await runInside(empty, words, draft);
  await rm(empty, { recursive: true, force: true });
  await rename(draft, system);
}

async function makeTemplate(): Promise<void> {
  if (existsSync(template)) return;
  const folder = await mkdtemp(path.join(cache, "draft-"));
  await runInside(folder, ["wineboot", "--init"]);
  await runInside(folder, ["winecfg", "-v", "win10"]);
  await runInside(folder, ["wineserver", "--wait"]);
  await rename(path.join(folder, "prefix"), template);
  await rm(folder, { recursive: true, force: true });
}

let made: Promise<void> | undefined;
export function prepareWine(): Promise<void> {
  made ??= makeSystem().then(makeTemplate);
  return made;
}

/** A command `osslsigncode` in a folder of its own, of that system: Debian 12's cannot sign scripts. */
export async function makeSigncode(folder: string): Promise<string> {
  await prepareWine();
  const command = path.join(folder, "osslsigncode");
  const enterTmp = `mount --make-rprivate / && mount --bind /tmp ${system}/tmp && exec chroot ${system} /usr/bin/osslsigncode "$@"`;
  const script = `#!/bin/sh\nexec unshare -m sh -c '${enterTmp}' sh "$@"\n`;
  await writeFile(command, script, { mode: 0o755 });
  return command;
}

export interface Ending {
  code: number;
  output: string;
  errors: string;
}

/** A Windows of its own, as far as Wine is one. It ends, with all that runs in it, when it is disposed. */
export class Wine implements AsyncDisposable {
  readonly folder: string;
  #staying: ChildProcess | undefined;
  #runs = 0;
  /** What the event log was told: Wine prints it. */
  events = "";

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async start(): Promise<Wine> {
    await prepareWine();
    const folder = await mkdtemp(path.join(tmpdir(), "lumetry-wine-"));
    await execute("cp", ["-a", "--reflink=auto", template, path.join(folder, "prefix")]);
    const wine = new Wine(folder);
    await wine.#boot();
    return wine;
  }

  /** Services end once nobody else is there: so somebody stays, who is the first, and whom services tell their events. */
  async #boot(): Promise<void> {
    const words = ["wine", "cmd", "/c", "echo booted && pause"];
    const [file, all, options] = enter(this.folder, words, { debug: "-all,+eventlog" });
    const staying = spawn(file, all, { ...options, stdio: ["pipe", "pipe", "pipe"] });
    staying.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.events += text;
    });
    this.#staying = staying;
    await new Promise<void>((resolve, reject) => {
      staying.once("close", (code) => reject(new Error(`Wine ended with ${code}`)));
      staying.stdout?.once("data", () => resolve()).resume();
    });
  }

  async #end(): Promise<void> {
    await runInside(this.folder, ["wineserver", "--kill"]).catch(() => {});
    await runInside(this.folder, ["wineserver", "--wait"]).catch(() => {});
    this.#staying?.kill("SIGKILL");
  }

  /** Ends everything at once, and begins anew with what is on the disk. */
  async reboot(): Promise<void> {
    await this.#end();
    await this.#boot();
  }

  /** A file of drive C, for this system. */
  drive(...names: string[]): string {
    return path.join(this.folder, "prefix/drive_c", ...names);
  }

  /** Runs a program of Windows with its streams in files: Node cannot use pipes of this system there. */
  async run(program: string, words: string[], input = ""): Promise<Ending> {
    this.#runs += 1;
    const name = `run-${this.#runs}`;
    const at = (kind: string) => path.join(this.folder, `${name}.${kind}`);
    await writeFile(at("in"), input);
    const command = `cd ${INSIDE} && wine "$@" <${name}.in >${name}.out 2>${name}.err`;
    const [file, all, options] = enter(this.folder, [
      "bash",
      "-c",
      command,
      "run",
      program,
      ...words,
    ]);
    const code = await new Promise<number>((resolve, reject) => {
      spawn(file, all, { ...options, stdio: "ignore" })
        .once("error", reject)
        .once("close", (ended) => resolve(ended ?? 1));
    });
    const [output, errors] = await Promise.all([
      readFile(at("out"), "utf8"),
      readFile(at("err"), "utf8"),
    ]);
    return { code, output, errors };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
