import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { type Assembled, assemble } from "../../packaging/assemble.ts";
import { targetOf } from "./releases.ts";
import { type Ending, Wine } from "./wine.ts";

const PROGRAMS = "Program Files/Lumetry/Agent";
const STATE = "ProgramData/Lumetry/Agent";
const KEY = "HKLM\\SYSTEM\\CurrentControlSet\\Services";

export const assembleForWindows = (version: string) =>
  assemble("agent", targetOf("win-x64"), version);

/** What sc.exe would tell of the service. */
export interface ServiceState {
  state: string;
  processId: number;
  win32ExitCode: number;
  serviceExitCode: number;
  startType: number;
  account: string;
  command: string;
}

/** A Windows host on which packages are set up, as install.ps1 and setup.ps1 do it. */
export class WindowsHost implements AsyncDisposable {
  readonly wine: Wine;
  /** Of the package that was unpacked last. */
  packageFolder = "";
  #unpacked = 0;

  private constructor(wine: Wine) {
    this.wine = wine;
  }

  static async start(): Promise<WindowsHost> {
    return new WindowsHost(await Wine.start());
  }

  /** Unpacks below Program Files, where it stays. */
  async unpack({ name, entries }: Assembled): Promise<void> {
    this.#unpacked += 1;
    const place = `versions/${String(this.#unpacked).padStart(12, "0")}/${name}`;
    for (const entry of entries) {
      if (!("data" in entry)) continue;
      const file = this.wine.drive(PROGRAMS, place, entry.path);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, entry.data);
    }
    this.packageFolder = `C:\\${PROGRAMS}\\${place}`.replaceAll("/", "\\");
  }

  #setup(command: string, input = ""): Promise<Ending> {
    const setup = `${this.packageFolder}\\app\\setup.mjs`;
    return this.wine.run(`${this.packageFolder}\\bin\\node.exe`, [setup, command], input);
  }

  /** Unpacks a package and sets it up with the parameters of install.ps1. */
  async install(assembled: Assembled, request: Record<string, unknown>): Promise<Ending> {
    await this.unpack(assembled);
    return this.#setup("install", JSON.stringify(request));
  }

  uninstall = () => this.#setup("uninstall");
  finish = () => this.#setup("finish");

  host(...words: string[]): Promise<Ending> {
    return this.tell("", ...words);
  }

  /** The same, with something on its standard input. */
  tell(input: string, ...words: string[]): Promise<Ending> {
    return this.wine.run(`${this.packageFolder}\\bin\\lumetry-svc.exe`, words, input);
  }

  /** Undefined if there is none. */
  async service(): Promise<ServiceState | undefined> {
    const { code, output } = await this.host("show");
    return code === 3 ? undefined : JSON.parse(output);
  }

  async registry(key = "LumetryAgent"): Promise<string> {
    return (await this.wine.run("reg", ["query", `${KEY}\\${key}`])).output;
  }

  /** A file of the agent's state; undefined if it is not there. */
  state(...names: string[]): Promise<string | undefined> {
    return readFile(this.wine.drive(STATE, ...names), "utf8").catch(() => undefined);
  }

  programs(...names: string[]): string {
    return this.wine.drive(PROGRAMS, ...names);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.wine[Symbol.asyncDispose]();
  }
}
