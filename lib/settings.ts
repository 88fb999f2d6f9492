import { readFileSync } from "node:fs";
import { isIP, isIPv4 } from "node:net";
import path from "node:path";
import { inspect } from "node:util";

/**
 * Settings of a process. Each has one name in three spellings: `--data-dir`, `LUMETRY_DATA_DIR`
 * and `dataDir` in a JSON file; the command line wins over the environment over the file.
 */
export interface Setting<T> {
  description: string;
  /** Turns text into a value; throws an Error that says what to write. */
  parse: (text: string) => T;
  /** As a person would write it; undefined makes the setting optional. */
  default?: string;
  /** Its value holds a secret and is never repeated in an error. */
  isSecret?: boolean;
  /** Its flag may be given several times: as well as a list with commas. */
  isList?: boolean;
}

export type Definitions = Record<string, Setting<unknown>>;
export type Settings<D extends Definitions> = {
  readonly [K in keyof D]: D[K] extends Setting<infer T>
    ? D[K] extends { default: string }
      ? T
      : T | undefined
    : never;
};

/** A mistake in the settings, worded for whoever wrote them. */
export class SettingsError extends Error {
  override name = "SettingsError";
}

export const flagName = (key: string) =>
  key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
export const variableName = (key: string) =>
  `LUMETRY_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

/** A value as others may see it: whatever may be a user name and password in an address is left out. */
export const withoutCredentials = (value: string) => value.replace(/(:\/\/|:).*@/s, "$1…@");

function readFile(file: string, definitions: Definitions): Record<string, string> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new SettingsError(
      `The settings file ${file} cannot be read: ${(error as Error).message}. It is a JSON object such as {"listen": "0.0.0.0:8443"}.`,
    );
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new SettingsError(`The settings file ${file} must hold one JSON object.`);
  }
  const values: Record<string, string> = {};
  for (const [key, value] of Object.entries(parsed)) {
    if (!Object.hasOwn(definitions, key)) {
      throw new SettingsError(
        `${file}: there is no setting ${inspect(key)}; there are ${Object.keys(definitions).join(", ")}.`,
      );
    }
    if (!["string", "number", "boolean"].includes(typeof value)) {
      throw new SettingsError(`${file}: ${key} must be a string, a number or a boolean.`);
    }
    values[key] = String(value);
  }
  return values;
}

/** Reads and checks all settings; the error lists every mistake at once. */
export function readSettings<D extends Definitions>(
  definitions: D,
  sources: {
    /** By camel-case name, as the command line gave them. */
    flags?: Record<string, unknown>;
    environment?: Record<string, string | undefined>;
    file?: string | undefined;
  },
): Settings<D> {
  const { flags = {}, environment = {}, file } = sources;
  const fromFile = file ? readFile(path.resolve(file), definitions) : {};
  const mistakes: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(definitions)) {
    const candidates: [string, unknown][] = [
      [`--${flagName(key)}`, flags[key]],
      [variableName(key), environment[variableName(key)] || undefined],
      [`${key} in ${file}`, fromFile[key]],
      ["the default", setting.default],
    ];
    const [origin, text] = candidates.find(([, value]) => value !== undefined) ?? [];
    if (text === undefined) continue;
    try {
      values[key] = setting.parse(String(text).trim());
    } catch (error) {
      const shown = setting.isSecret ? "what is given" : inspect(withoutCredentials(String(text)));
      mistakes.push(`${origin}: ${shown} ${(error as Error).message}`);
    }
  }
  if (mistakes.length > 0) throw new SettingsError(mistakes.join("\n"));
  return values as Settings<D>;
}

export const text = (value: string) => value;

export const file = (value: string) => {
  if (value === "") throw new Error("is empty; write the path of a file.");
  return path.resolve(value);
};

export const directory = (value: string) => {
  if (value === "") throw new Error("is empty; write the path of a directory.");
  return path.resolve(value);
};

export const boolean = (value: string) => {
  if (value === "true" || value === "1" || value === "yes") return true;
  if (value === "false" || value === "0" || value === "no") return false;
  throw new Error("is neither true nor false.");
};

export function choice<const T extends string>(...options: T[]) {
  return (value: string): T => {
    const found = options.find((option) => option === value);
    if (!found) throw new Error(`is none of ${options.join(", ")}.`);
    return found;
  };
}

export function integer(least: number, most: number) {
  return (value: string) => {
    const number = Number(value);
    if (value === "" || !Number.isInteger(number) || number < least || number > most) {
      throw new Error(`is not a whole number from ${least} to ${most}.`);
    }
    return number;
  };
}

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** "500ms", "30s", "10m", "1h" or "90d", in milliseconds. */
export function duration(leastMs = 0, mostMs = Number.MAX_SAFE_INTEGER) {
  return (value: string) => {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value);
    if (!match)
      throw new Error('is not a span of time; write for example "30s", "10m", "1h" or "90d".');
    const ms = Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
    if (ms < leastMs || ms > mostMs) {
      throw new Error(
        `is out of bounds; write a span from ${leastMs / 1000}s to ${mostMs / 1000}s.`,
      );
    }
    return ms;
  };
}

const SIZES = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
} as const;

/** "500MB" or "1GiB", in bytes. */
export function bytes(least = 0) {
  return (value: string) => {
    const match = /^(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|KiB|MiB|GiB)?$/.exec(value);
    if (!match) throw new Error('is not a size; write for example "500MB" or "1GiB".');
    const size = Math.floor(Number(match[1]) * SIZES[(match[2] ?? "B") as keyof typeof SIZES]);
    if (size < least) throw new Error(`is too small; write at least ${least / 1e6}MB.`);
    return size;
  };
}

/** Values with commas between them. */
export function list<T>(parse: (text: string) => T) {
  return (value: string): T[] =>
    value
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "")
      .map(parse);
}

/** "10.0.0.0/8,fd00::/8", or nothing. */
export const networks = (value: string): string[] => {
  const prefixes = value
    .split(",")
    .map((prefix) => prefix.trim())
    .filter(Boolean);
  for (const prefix of prefixes) {
    const [address = "", length = "", ...more] = prefix.split("/");
    const most = isIPv4(address) ? 32 : 128;
    if (!isIP(address) || !/^\d{1,3}$/.test(length) || Number(length) > most || more.length > 0) {
      throw new Error('is not a list of networks; write for example "10.0.0.0/8,fd00::/8".');
    }
  }
  return prefixes;
};

export interface HostPort {
  host: string;
  port: number;
}

/** "0.0.0.0:8443", "[::1]:8443" or ":8443" for every address; port 0 takes any free one. */
export const hostPort = (value: string): HostPort => {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]*)):(\d{1,5})$/.exec(value);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw new Error('is not host:port; write for example "0.0.0.0:8443" or "[::1]:8443".');
  }
  return { host: match[1] ?? (match[2] || "::"), port };
};

export const url = (...protocols: string[]) => {
  return (value: string): string => {
    const parsed = URL.canParse(value) ? new URL(value) : undefined;
    if (!parsed || !protocols.includes(parsed.protocol)) {
      throw new Error(
        `is not a URL that starts with ${protocols.map((p) => `${p}//`).join(" or ")}.`,
      );
    }
    if (parsed.username || parsed.password) {
      if (parsed.protocol.startsWith("http")) {
        throw new Error("holds a user name or password; leave them out.");
      }
    }
    return value;
  };
};
