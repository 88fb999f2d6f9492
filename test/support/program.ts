import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));

/** Processes start in half the time once one of them has left its compiled form here. */
export const COMPILED = path.join(root, "node_modules/.cache/lumetry-tests");
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  output: string;
  /** Standard error, the log included. */
  errors: string;
}

export interface ProgramOptions {
  environment?: Record<string, string>;
  /** Modules of test/support to load before it. */
  preload?: string[];
  /** Flags of Node's. */
  node?: string[];
}

/** A TypeScript file of this tree, or a bundle elsewhere, run as a process of its own. Nothing of the caller's settings reaches it. */
export class Program implements AsyncDisposable {
  readonly child: ChildProcess;
  /** Settles when it has ended, however that came. */
  readonly ended: Promise<Ending>;
  /** Undefined while it runs. */
  ending: Ending | undefined;
  output = "";
  /** Standard error, the log included. */
  errors = "";

  constructor(file: string, parameters: string[], options: ProgramOptions = {}) {
    const { environment = {}, preload = [], node = [] } = options;
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("LUMETRY_"));
    const before = preload.flatMap((name) => ["--import", path.join(root, "test/support", name)]);
    const main = path.resolve(root, file);
    this.child = spawn(process.execPath, [...node, ...before, main, ...parameters], {
      env: { ...Object.fromEntries(inherited), NODE_COMPILE_CACHE: COMPILED, ...environment },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    running.add(this.child);
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.output += text;
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.errors += text;
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.once("error", reject);
      this.child.once("close", (code, signal) => {
        running.delete(this.child);
        this.ending = { code, signal, output: this.output, errors: this.errors };
        resolve(this.ending);
      });
    });
  }

  /** kill -9, and waits for the end. */
  kill(): Promise<Ending> {
    return this.#end("SIGKILL");
  }

  /** SIGTERM, and waits for the end. */
  stop(): Promise<Ending> {
    return this.#end("SIGTERM");
  }

  #end(signal: NodeJS.Signals): Promise<Ending> {
    this.child.kill(signal);
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
