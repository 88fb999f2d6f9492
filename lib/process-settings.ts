import { parseArgs } from "node:util";
import {
  type Definitions,
  flagName,
  readSettings,
  type Settings,
  SettingsError,
  variableName,
} from "./settings.ts";
import { version } from "./version.ts";

function help(program: string, definitions: Definitions): string {
  const lines = Object.entries(definitions).map(
    ([key, setting]) =>
      `  --${flagName(key)}${setting.default === undefined || setting.default === "" ? "" : ` (${setting.default})`}\n` +
      `      ${setting.description} Also ${variableName(key)}.`,
  );
  return `Usage: ${program} [--name value …]\n\nEvery setting can be a flag, an environment variable, or a member of the JSON file\nnamed by --settings-file (LUMETRY_SETTINGS_FILE), in camel case.\n\n${lines.join("\n")}\n`;
}

/**
 * The settings of this process, from its command line, environment and file. Answers --help and
 * --version itself; a mistake is told on standard error and ends the process with 2.
 */
export function readProcessSettings<D extends Definitions>(
  program: string,
  definitions: D,
  argv: string[] = process.argv.slice(2),
): Settings<D> {
  const keys = Object.keys(definitions);
  const options = Object.fromEntries(
    Object.entries(definitions).map(([key, { isList = false }]) => [
      flagName(key),
      { type: "string" as const, multiple: isList },
    ]),
  );
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        ...options,
        "settings-file": { type: "string" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean" },
      },
      strict: true,
    });
    if (values.help) {
      process.stdout.write(help(program, definitions));
      process.exit(0);
    }
    if (values.version) {
      process.stdout.write(`${version}\n`);
      process.exit(0);
    }
    const given: Record<string, unknown> = values;
    const file = given["settings-file"] ?? process.env.LUMETRY_SETTINGS_FILE;
    const flagOf = (key: string) => {
      const value = given[flagName(key)];
      return Array.isArray(value) ? value.join(",") : value;
    };
    return readSettings(definitions, {
      flags: Object.fromEntries(keys.map((key) => [key, flagOf(key)])),
      environment: process.env,
      file: file === undefined || file === "" ? undefined : String(file),
    });
  } catch (error) {
    const words = error instanceof SettingsError ? error.message : (error as Error).message;
    process.stderr.write(`${program}: ${words}\nTry ${program} --help\n`);
    process.exit(2);
  }
}
