import { secretKind } from "../../../lib/secret.ts";
import { EXIT, SetupError } from "./ending.ts";

/** What was asked for with install.ps1. */
export interface Request {
  /** For `lumetry agent configure`, such as ["--server", "https://lumetry.example.com"]. */
  settings: string[];
  /** A place to go through is named. */
  hasRoute: boolean;
  token: string | undefined;
  /** A private authority in PEM form, of the person's who installs. */
  authority: string | undefined;
  /** The one that install.ps1 was served with. */
  installerAuthority: string | undefined;
  reEnroll: boolean;
  waitSeconds: number;
}

/** The parameters of install.ps1 that are settings of the agent, and what these are called. */
const SETTINGS: Record<string, string> = {
  BackendUrl: "server",
  CollectorUrl: "collector",
  CollectorFingerprint: "collector-fingerprint",
  Direct: "direct",
  Cluster: "cluster",
  ClusterId: "cluster-id",
  ProxyUrl: "proxy",
};

const OTHERS = new Set([
  "EnrollmentToken",
  "Authority",
  "InstallerAuthority",
  "AllowCleartext",
  "Set",
  "ReEnroll",
  "WaitSeconds",
]);

const usage = (message: string) => new SetupError(EXIT.usage, message);

function readObject(text: string): Record<string, unknown> {
  try {
    const found: unknown = JSON.parse(text.replace(/^\uFEFF/, ""));
    if (typeof found === "object" && found !== null && !Array.isArray(found)) {
      return found as Record<string, unknown>;
    }
  } catch {
    // Told below.
  }
  throw usage("setup takes one JSON object on standard input, as setup.ps1 gives it");
}

function moreSettings(given: unknown): string[] {
  // "powershell.exe -File" hands a list over as one text.
  const list = given === undefined || given === null ? [] : [given].flat();
  return list
    .flatMap((each) => String(each).split(/,(?=[a-z-]+=)/))
    .flatMap((each) => {
      const [, name, value] = /^([a-z][a-z-]*)=(.*)$/s.exec(each) ?? [];
      if (name === undefined || value === undefined) {
        throw usage("-Set takes NAME=VALUE, such as queue-limit=1GB");
      }
      return [`--${name}`, value];
    });
}

/** Reads what setup.ps1 hands over: its parameters by name, as JSON. Throws a SetupError for what cannot be. */
export function readRequest(text: string): Request {
  const given = readObject(text);
  const unknown = Object.keys(given).find((name) => !(name in SETTINGS) && !OTHERS.has(name));
  if (unknown !== undefined) throw usage(`there is no parameter -${unknown}`);
  const textOf = (name: string): string | undefined => {
    const value = given[name];
    if (value === undefined || value === null || value === "") return undefined;
    if (typeof value !== "string") throw usage(`-${name} takes a text`);
    return value.trim();
  };

  if (textOf("Cluster") !== undefined && textOf("ClusterId") !== undefined) {
    throw usage("-Cluster and -ClusterId both say where this host belongs; give one of them");
  }
  const token = textOf("EnrollmentToken");
  if (token !== undefined && secretKind(token) !== "lmtae") {
    throw usage(
      "-EnrollmentToken is no token of an enrollment profile: it begins with lmtae_, and was perhaps not copied as a whole",
    );
  }
  const waitSeconds = Number(given.WaitSeconds ?? 120);
  if (!Number.isInteger(waitSeconds) || waitSeconds < 0 || waitSeconds > 3_600) {
    throw usage("-WaitSeconds takes a whole number from 0 to 3600");
  }
  const named = Object.entries(SETTINGS).flatMap(([name, setting]) => {
    const value = textOf(name);
    return value === undefined ? [] : [`--${setting}`, value];
  });
  return {
    settings: [
      ...named,
      // A wish by name takes the place of one by id, and the other way round.
      ...(textOf("Cluster") === undefined ? [] : ["--remove", "cluster-id"]),
      ...(textOf("ClusterId") === undefined ? [] : ["--remove", "cluster"]),
      ...(given.AllowCleartext === true ? ["--allow-cleartext", "true"] : []),
      ...moreSettings(given.Set),
    ],
    hasRoute: textOf("BackendUrl") !== undefined || textOf("CollectorUrl") !== undefined,
    token,
    authority: textOf("Authority"),
    installerAuthority: textOf("InstallerAuthority"),
    reEnroll: given.ReEnroll === true,
    waitSeconds,
  };
}
