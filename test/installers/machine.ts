import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { eventually } from "../support/eventually.ts";
import { baseSystem, type Processor } from "./rootfs.ts";
import { type Ended, must, run } from "./shell.ts";

/** What root has on a fresh system. */
const ENVIRONMENT = [
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  "HOME=/root",
  "LANG=C.UTF-8",
];

let count = 0;

/**
 * A fresh host with systemd as its first process: a container that shares this machine's network and
 * kernel, and nothing else. What it changes lies over the base system, and is gone with it.
 */
export class Machine implements AsyncDisposable {
  readonly root: string;
  readonly #place: string;
  readonly #name: string;
  #container: ChildProcess | undefined;
  #leader = "";
  #log = "";

  private constructor(place: string) {
    this.#place = place;
    this.root = path.join(place, "root");
    count += 1;
    this.#name = `lumetry-${process.pid}-${count}`;
  }

  static async boot(processor: Processor = "x64"): Promise<Machine> {
    const base = await baseSystem(processor);
    const machine = new Machine(await mkdtemp(path.join(tmpdir(), "lumetry-machine-")));
    const { root } = machine;
    const [upper, work] = ["upper", "work"].map((name) => path.join(machine.#place, name));
    for (const folder of [root, upper, work]) await mkdir(String(folder));
    const layers = `lowerdir=${base},upperdir=${upper},workdir=${work}`;
    await must("mount", ["-t", "overlay", "overlay", "-o", layers, root]);
    await machine.put("/etc/hosts", `127.0.0.1 localhost ${hostname()}\n`);
    try {
      await machine.start();
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
    return machine;
  }

  /** Boots it, also again after `powerOff`. */
  async start(): Promise<void> {
    const container = spawn(
      "systemd-nspawn",
      [
        ...["--directory", this.root, "--machine", this.#name, "--register=no", "--keep-unit"],
        ...["--console=pipe", "--resolv-conf=off", "--timezone=off", "--boot"],
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#container = container;
    for (const stream of [container.stdout, container.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#log += text;
      });
    }
    await eventually(`the machine boots\n${this.#log}`, async () => {
      if (container.exitCode !== null) throw new Error(`the machine ended: ${this.#log}`);
      const children = `/proc/${container.pid}/task/${container.pid}/children`;
      const [leader = ""] = (await readFile(children, "utf8").catch(() => "")).split(" ");
      this.#leader = leader;
      if (leader === "") return false;
      const { output } = await this.run("systemctl is-system-running");
      return ["running", "degraded"].includes(output.trim());
    });
  }

  async powerOff(): Promise<void> {
    if (!this.#container || this.#container.exitCode !== null) return;
    const ended = once(this.#container, "exit");
    await this.run("systemctl poweroff");
    await ended;
  }

  /** A line for bash, as root on this machine. */
  run(line: string, options: { input?: string; environment?: string[] } = {}): Promise<Ended> {
    const { input, environment = [] } = options;
    const inside = ["-t", this.#leader, "-m", "-u", "-i", "-n", "-p", "-C", "--"];
    const command = [
      "env",
      ...["-i", ...ENVIRONMENT, ...environment],
      ...["bash", "-c", `cd /root && ${line}`],
    ];
    return run("nsenter", [...inside, ...command], input === undefined ? {} : { input });
  }

  /** The same, for what has to succeed; answers its output. */
  async must(line: string): Promise<string> {
    const { code, output, errors } = await this.run(line);
    if (code === 0) return output.trim();
    throw new Error(`${line}\nended with ${code}:\n${output}${errors}`);
  }

  async put(file: string, content: string | Buffer, mode = 0o644): Promise<void> {
    await mkdir(path.dirname(path.join(this.root, file)), { recursive: true });
    await writeFile(path.join(this.root, file), content, { mode });
  }

  async copy(from: string, to: string): Promise<void> {
    await cp(from, path.join(this.root, to), { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#container?.exitCode === null) {
      const ended = once(this.#container, "exit");
      // Nothing on it is of value, so it need not shut down.
      this.#container.kill("SIGKILL");
      await ended;
    }
    if (this.#leader !== "") await run("kill", ["-9", this.#leader]);
    await eventually("the machine lets go of its disk", async () => {
      const { code } = await run("umount", ["-R", this.root]);
      return code === 0;
    });
    await rm(this.#place, { recursive: true, force: true });
  }
}
