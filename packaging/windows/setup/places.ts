import path from "node:path";
import { EXIT, SetupError } from "./ending.ts";

const { win32 } = path;

function folder(name: string): string {
  const found = process.env[name];
  if (found && win32.isAbsolute(found)) return found;
  throw new SetupError(EXIT.failed, `the variable ${name} names no folder`);
}

/** Where things are on a machine. */
export function findPlaces() {
  const lumetry = win32.join(folder("ProgramData"), "Lumetry");
  const state = win32.join(lumetry, "Agent");
  const config = win32.join(state, "config");
  const data = win32.join(state, "data");
  const programs = win32.join(folder("ProgramFiles"), "Lumetry", "Agent");
  return {
    programs,
    /** One folder for each version that is being tried or in use. */
    versions: win32.join(programs, "versions"),
    system: win32.join(folder("SystemRoot"), "System32"),
    lumetry,
    state,
    config,
    data,
    settings: win32.join(config, "settings.json"),
    authority: win32.join(config, "ca.pem"),
    log: win32.join(data, "agent.log"),
  };
}

export type Places = ReturnType<typeof findPlaces>;

/** The folder of the package that a service's command belongs to: `"…\bin\lumetry-svc.exe" run`. */
export function packageOf(command: string): string | undefined {
  const [, quoted, plain] = /^(?:"([^"]+)"|(\S+))(?:\s|$)/.exec(command.trim()) ?? [];
  const file = quoted ?? plain;
  if (file === undefined || win32.basename(file).toLowerCase() !== "lumetry-svc.exe")
    return undefined;
  return win32.dirname(win32.dirname(file));
}
