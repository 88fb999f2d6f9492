import { readFileSync } from "node:fs";
import path from "node:path";
import { CliError, ExitCode, usageError } from "./errors.ts";
import {
  findSessionFiles,
  isThisMachine,
  type SessionFile,
  type Whereabouts,
} from "./session-files.ts";

/** As the command line gave them. */
export interface PlaceFlags {
  server?: string;
  ca?: string;
  tokenFile?: string;
}

/** Where to call, whom to trust there, and as whom. */
export interface Place {
  /** An origin. */
  url: string;
  caFile: string | undefined;
  credential: { secret: string; from: string } | undefined;
  /** The file that knows this server, if any does. */
  file: SessionFile | undefined;
  email: string | undefined;
}

/**
 * Finds the server by flag, environment, the folder's file or the person's file, in that order. A
 * saved session is only ever used with the server it was made for.
 */
export function findPlace(
  flags: PlaceFlags,
  at: Whereabouts,
): { place: Place | undefined; warnings: string[] } {
  const { environment } = at;
  const { files, warnings } = findSessionFiles(at);
  const named = flags.server ?? (environment.LUMETRY_SERVER || undefined);
  const origin = named === undefined ? undefined : readOrigin(named);
  const file = files.find(({ servers }) =>
    origin === undefined ? servers.length > 0 : servers.some(({ url }) => url === origin),
  );
  const saved = file?.servers.find(({ url }) => origin === undefined || url === origin);
  const url = origin ?? saved?.url;
  if (url === undefined) return { place: undefined, warnings };
  if (url.startsWith("http:") && !isThisMachine(url)) {
    warnings.push(`the way to ${url} is not encrypted: others may read along`);
  }
  const ca = flags.ca ?? (environment.LUMETRY_CA || undefined);
  return {
    place: {
      url,
      caFile: ca === undefined ? saved?.caFile : path.resolve(at.directory, ca),
      credential: readCredential(flags, environment, saved?.session, file?.file),
      file,
      email: saved?.email,
    },
    warnings,
  };
}

function readOrigin(text: string): string {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (!parsed || !/^https?:$/.test(parsed.protocol) || parsed.pathname !== "/" || parsed.username) {
    throw usageError(
      `${JSON.stringify(text)} is not the URL of a server.`,
      "Write for example https://lumetry.example.com:8443",
    );
  }
  return parsed.origin;
}

function readCredential(
  flags: PlaceFlags,
  environment: Record<string, string | undefined>,
  session: string | undefined,
  file: string | undefined,
): Place["credential"] {
  if (flags.tokenFile !== undefined) {
    try {
      return { secret: readFileSync(flags.tokenFile, "utf8").trim(), from: flags.tokenFile };
    } catch (error) {
      throw usageError(`The token file cannot be read: ${(error as Error).message}.`);
    }
  }
  const token = environment.LUMETRY_TOKEN?.trim();
  if (token) return { secret: token, from: "LUMETRY_TOKEN" };
  if (session !== undefined) return { secret: session, from: file ?? "" };
  return undefined;
}

/** For commands that need a server, when none is known. */
export const noServer = () =>
  new CliError("No server is known here.", {
    exitCode: ExitCode.NOT_SIGNED_IN,
    hint: 'Sign in with "lumetry login --server https://…", or start one in this folder with "lumetry up".',
  });
