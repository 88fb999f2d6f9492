import path from "node:path";
import { EXIT, SetupError } from "./ending.ts";
import type { Run } from "./run.ts";

export interface Shown {
  state: string;
  /** Zero also after an end that needs a person. */
  win32ExitCode: number;
  serviceExitCode: number;
  command: string;
}

/** lumetry-svc.exe's own word for: there is none. */
const WITHOUT = 3;

/** The service, by the host program of one package. */
export class Service {
  readonly #run: Run;
  readonly #program: string;

  constructor(run: Run, packageFolder: string) {
    this.#run = run;
    this.#program = path.win32.join(packageFolder, "bin", "lumetry-svc.exe");
  }

  /** What it answers; throws a SetupError in its words. */
  async do(words: string[], input?: string): Promise<string> {
    const { code, output, errors } = await this.#run(this.#program, words, input);
    if (code !== 0)
      throw new SetupError(EXIT.failed, errors.trim() || `lumetry-svc ${words[0]}: ${code}`);
    return output;
  }

  /** Undefined if there is no such service. */
  async show(): Promise<Shown | undefined> {
    const { code, output, errors } = await this.#run(this.#program, ["show"]);
    if (code === WITHOUT) return undefined;
    if (code !== 0) throw new SetupError(EXIT.failed, errors.trim());
    return JSON.parse(output);
  }

  install = () => this.do(["install"]);
  start = () => this.do(["start"]);
  remove = () => this.do(["remove"]);

  async stop(): Promise<void> {
    if ((await this.show()) !== undefined) await this.do(["stop"]);
  }

  /** All that it is given besides what every process has. */
  setEnvironment(variables: Record<string, string>): Promise<string> {
    const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
    return this.do(["environment"], lines.join(""));
  }

  protect = (folder: string, rights: string) => this.do(["protect", folder, rights]);

  async readNamespace(name: string): Promise<Buffer> {
    return Buffer.from((await this.do(["namespace", "show", name])).trim(), "hex");
  }

  writeNamespace(name: string, descriptor: Buffer): Promise<string> {
    return this.do(["namespace", "set", name], descriptor.toString("hex"));
  }
}
