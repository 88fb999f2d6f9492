import { chmod, readFile, rename, writeFile } from "node:fs/promises";
import { inspect, parseArgs } from "node:util";
import {
  type Definitions,
  flagName,
  readSettings,
  type Settings,
  SettingsError,
  withoutCredentials,
} from "../lib/settings.ts";
import type { EdgeKind } from "./identity.ts";
import { EXIT_SETTINGS, fail } from "./program.ts";
import { edgeSettings } from "./settings.ts";
import { readAuthority } from "./upstream.ts";

const help = (
  kind: EdgeKind,
) => `Usage: lumetry ${kind} configure --settings-file FILE [--SETTING VALUE …] [--remove SETTING …]

Writes settings into a file that "lumetry ${kind} --settings-file FILE" reads. What is not named stays as it
is; a value that will not do changes nothing. Tells what has changed. "lumetry ${kind} --help" lists the settings.

  --ca-source FILE   the authority that is about to be put where --ca says; that one is then looked at
`;

/** As a person may see it: a proxy's password is not for everybody. */
const shown = (value: string) => inspect(withoutCredentials(value));

async function readFlat(file: string): Promise<Record<string, unknown>> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new SettingsError(`${file} cannot be read: ${(error as Error).message}`);
  }
}

/**
 * `lumetry agent configure`: keeps settings in a file, for installers and people. Ends with 2 when
 * they will not do.
 */
export async function configure<D extends Definitions>(
  kind: EdgeKind,
  argv: string[],
  definitions: D,
  /** Throws a SettingsError where settings contradict each other. */
  check: (settings: Settings<D>) => unknown,
): Promise<void> {
  const keys = Object.keys(definitions).filter((key) => !definitions[key]?.isSecret);
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        ...Object.fromEntries(keys.map((key) => [flagName(key), { type: "string" as const }])),
        "settings-file": { type: "string" },
        "ca-source": { type: "string" },
        remove: { type: "string", multiple: true },
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help) {
      process.stdout.write(help(kind));
      return;
    }
    const given: Record<string, unknown> = values;
    const file = values["settings-file"];
    if (file === undefined) throw new SettingsError("--settings-file is missing");
    const before = await readFlat(file);
    const after = { ...before };
    for (const name of values.remove ?? []) {
      const key = keys.find((each) => flagName(each) === name);
      if (!key) throw new SettingsError(`--remove ${name}: there is no such setting`);
      delete after[key];
    }
    for (const key of keys) {
      const value = given[flagName(key)];
      if (value !== undefined) after[key] = value;
    }
    check(readSettings(definitions, { flags: after }));
    // The service would end with an authority that it cannot read; here nothing has happened yet.
    const { ca } = readSettings({ ca: edgeSettings.ca }, { flags: after });
    const authority = values["ca-source"] ?? ca;
    if (authority !== undefined) readAuthority(authority);
    const lines = keys
      .filter((key) => before[key] !== after[key])
      .map((key) => {
        if (before[key] === undefined) return `${flagName(key)} is ${shown(String(after[key]))}`;
        const was = shown(String(before[key]));
        if (after[key] === undefined) return `${flagName(key)} is no longer set, it was ${was}`;
        return `${flagName(key)} is ${shown(String(after[key]))}, it was ${was}`;
      });
    if (lines.length === 0) return;
    // A proxy's address may hold a password: not for everybody to read.
    await writeFile(`${file}.new`, `${JSON.stringify(after, null, 2)}\n`, { mode: 0o640 });
    await chmod(`${file}.new`, 0o640);
    await rename(`${file}.new`, file);
    process.stdout.write(`${lines.join("\n")}\n`);
  } catch (error) {
    fail(kind, (error as Error).message, EXIT_SETTINGS);
  }
}
