import { randomInt } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { SessionService } from "../../../gen/lumetry/v1/session_service_pb.js";
import { SetupService } from "../../../gen/lumetry/v1/setup_service_pb.js";
import { systemClock } from "../../../lib/clock.ts";
import type { Cli } from "../cli.ts";
import type { Connection } from "../connection.ts";
import type { Place } from "../place.ts";
import {
  findSessionFiles,
  folderFile,
  type SavedServer,
  writePrivately,
  writeSessionFile,
} from "../session-files.ts";

const EMAIL = "owner@localhost";
const WORKSPACE = "Main";
const LOOK_EVERY_MS = 500;

type Server = Pick<Place, "url" | "caFile">;

export interface Owner {
  /** The secret; undefined when nobody is signed in any more. */
  session: string | undefined;
  /** What came of it. */
  words: string;
  /** Who can sign in, when it has to be told. */
  credentials: { email: string; password: string } | undefined;
  /** To be called when the credentials were told. */
  shown(): void;
}

const UNTOLD = { credentials: undefined, shown() {} };

/**
 * A session of this folder's owner: the saved one if it still holds, or that of the first person,
 * whom this makes. The password is kept in a file from before it is set until it was told, so that
 * nobody is locked out by a power cut.
 */
export async function signInOrSetUp(
  cli: Cli,
  options: { directory: string; place: Server; setupSecret: string | undefined },
): Promise<Owner> {
  const { directory, place, setupSecret } = options;
  const draft = path.join(directory, "owner.json");
  const stranger = cli.connect({ ...place, credential: undefined });
  const save = (session: string | undefined, email: string | undefined) =>
    saveFolder(directory, place, { session, email });

  const { completed } = await stranger.client(SetupService).getSetup({});
  if (!completed && setupSecret !== undefined) {
    const credentials = readDraft(draft) ?? { email: EMAIL, password: makePassword() };
    writePrivately(draft, JSON.stringify(credentials));
    const { session } = await stranger.client(SetupService).completeSetup({
      setupSecret,
      workspaceName: WORKSPACE,
      displayName: userName(),
      ...credentials,
    });
    save(session?.secret ?? "", credentials.email);
    return {
      session: session?.secret,
      words: `The workspace "${WORKSPACE}" and its owner were created`,
      credentials,
      shown: () => rmSync(draft, { force: true }),
    };
  }

  const untold = readDraft(draft);
  const session = untold && (await signIn(stranger, untold));
  if (untold && session !== undefined) {
    save(session, untold.email);
    return {
      session,
      words: "The owner is signed in",
      credentials: untold,
      shown: () => rmSync(draft, { force: true }),
    };
  }
  rmSync(draft, { force: true });

  const saved = await savedOwner(cli, directory, place);
  if (saved) return saved;
  // So that `lumetry login` in this folder knows where to go.
  save(undefined, readSaved(cli, directory)?.email);
  return { session: undefined, words: "Nobody is signed in in this folder", ...UNTOLD };
}

/** Undefined when the server has another owner than this. */
async function signIn(
  stranger: Connection,
  credentials: { email: string; password: string },
): Promise<string | undefined> {
  try {
    const { session } = await stranger.client(SessionService).createSession(credentials);
    return session?.secret;
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.Unauthenticated) return undefined;
    throw error;
  }
}

/** Waits until somebody has signed in with `lumetry login` in this folder. */
export async function waitForSignIn(
  cli: Cli,
  options: { directory: string; place: Server; signal: AbortSignal },
): Promise<Owner> {
  const { directory, place, signal } = options;
  for (;;) {
    await systemClock.sleep(LOOK_EVERY_MS, signal);
    const owner = await savedOwner(cli, directory, place);
    if (owner || signal.aborted) return owner ?? { session: undefined, words: "", ...UNTOLD };
  }
}

/** Whoever the saved session belongs to; undefined when there is none that still holds. */
async function savedOwner(cli: Cli, directory: string, place: Server): Promise<Owner | undefined> {
  const session = readSaved(cli, directory)?.session;
  if (session === undefined) return undefined;
  try {
    const connection = cli.connect({ ...place, credential: { secret: session, from: directory } });
    const { user } = await connection.client(SessionService).getSession({});
    // Anew, since the server may have moved to another port.
    saveFolder(directory, place, { session, email: user?.email ?? "" });
    return { session, words: `Signed in as ${user?.email}`, ...UNTOLD };
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.Unauthenticated) return undefined;
    throw error;
  }
}

function saveFolder(
  directory: string,
  { url, caFile }: Server,
  { session, email }: { session?: string | undefined; email?: string | undefined },
): void {
  const saved: SavedServer = {
    url,
    ...(session !== undefined && { session }),
    ...(email !== undefined && { email }),
    ...(caFile !== undefined && { caFile: path.relative(directory, caFile) }),
  };
  writeSessionFile(folderFile(directory), [saved]);
}

/** The session of this folder, whatever port the server had when it was made. */
function readSaved(cli: Cli, directory: string) {
  const { environment } = cli;
  const { files } = findSessionFiles({ directory: path.dirname(directory), environment });
  return files.find(({ file }) => file === folderFile(directory))?.servers[0];
}

function readDraft(file: string): { email: string; password: string } | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const { email, password } = JSON.parse(readFileSync(file, "utf8"));
    return typeof email === "string" && typeof password === "string"
      ? { email, password }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Twenty letters in groups, easy to read and to type: 94 bits. */
function makePassword(): string {
  const letter = () => String.fromCharCode(97 + randomInt(26));
  const group = () => Array.from({ length: 5 }, letter).join("");
  return Array.from({ length: 4 }, group).join("-");
}

function userName(): string {
  try {
    return os.userInfo().username || "Owner";
  } catch {
    return "Owner"; // a user id without an entry
  }
}
