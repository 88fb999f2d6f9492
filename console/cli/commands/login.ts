import { copyFileSync, mkdirSync } from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import { RoleSchema } from "../../../gen/lumetry/access/v1/access_pb.js";
import {
  AcceptInvitationResponseSchema,
  CreateSessionResponseSchema,
  type Session,
  SessionService,
} from "../../../gen/lumetry/v1/session_service_pb.js";
import {
  CompleteSetupResponseSchema,
  SetupService,
} from "../../../gen/lumetry/v1/setup_service_pb.js";
import { type Cli, example } from "../cli.ts";
import type { Connection } from "../connection.ts";
import { usageError } from "../errors.ts";
import { askNewPassword, askPassword } from "../passwords.ts";
import { noServer, type Place } from "../place.ts";
import { personalFile, saveServer } from "../session-files.ts";
import { plain } from "../terminal.ts";
import { deadlineText, enumWord } from "../words.ts";

interface LoginOptions {
  email?: string;
  /** True when it is to be asked for. */
  setup?: string | true;
  invitation?: string | true;
  name?: string;
  workspace?: string;
}

export function addLogin(program: Command, cli: Cli): void {
  const login = program
    .command("login")
    .description("Sign in to a server, and remember it.")
    .option("--email <address>", "who you are; asked for when not given")
    .option("--invitation [secret]", "accept an invitation and set your password")
    .option("--setup [secret]", "become the first person of a new server, as its owner")
    .option("--name <name>", "with --setup: your name")
    .option("--workspace <name>", "with --setup: the name of the first workspace", "Main")
    .action(async (options: LoginOptions) => {
      const place = cli.place();
      if (!place) throw noServer();
      if (options.setup !== undefined && options.invitation !== undefined) {
        throw usageError("Use --setup or --invitation, not both.");
      }
      const stranger = cli.connect({ ...place, credential: undefined });
      const { schema, response } = await signIn(cli, stranger, place, options);
      const { session } = response;
      if (!session) throw new Error("the server answered without a session");
      const file = remember(cli, place, session);
      // The secret is in the file; printed, it would end up in logs.
      session.secret = "";
      cli.answer(schema, response, () => welcome(cli, place, session, file));
    });
  login.addHelpText(
    "after",
    `
The password is asked for without showing it, or read from LUMETRY_PASSWORD or standard input. So is the secret
of --setup or --invitation when it is not given, which keeps it out of the history of a shell.

A lost password is replaced by a new invitation from an administrator; the only owner makes one with
"lumetry server reset-owner" on the server's machine.`,
  );
  example(
    login,
    "lumetry login --server https://lumetry.example.com:8443 --ca ca.pem --email ada@example.com",
    "lumetry login --server https://lumetry.example.com:8443 --invitation lmtiv_…",
  );
}

async function signIn(cli: Cli, stranger: Connection, place: Place, options: LoginOptions) {
  const ask = async (question: string, given: string | undefined) => {
    const answer = given ?? (await cli.prompt.line(question));
    if (!answer?.trim()) throw usageError(`${question.replace(/[:?] ?$/, "")} is missing.`);
    return answer.trim();
  };
  if (options.invitation !== undefined) {
    const invitation = await askSecret(cli, "Invitation", options.invitation);
    const password = await askNewPassword(cli);
    const response = await stranger
      .client(SessionService)
      .acceptInvitation({ invitation, password });
    return { schema: AcceptInvitationResponseSchema, response };
  }
  const setupSecret =
    options.setup !== undefined && (await askSecret(cli, "Set-up secret", options.setup));
  const email = await ask("E-mail address: ", options.email ?? emailOf(place, options));
  if (setupSecret) {
    const displayName = await ask("Your name: ", options.name);
    const response = await stranger.client(SetupService).completeSetup({
      setupSecret,
      workspaceName: options.workspace ?? "Main",
      email,
      displayName,
      password: await askNewPassword(cli),
    });
    return { schema: CompleteSetupResponseSchema, response };
  }
  const password = await askPassword(cli, `Password of ${plain(email)}: `);
  const response = await stranger.client(SessionService).createSession({ email, password });
  return { schema: CreateSessionResponseSchema, response };
}

/** A secret that was given with its option, or is typed or piped in now. */
async function askSecret(cli: Cli, name: string, given: string | true): Promise<string> {
  const secret = (given === true ? await cli.prompt.secret(`${name}: `) : given)?.trim();
  if (!secret) throw usageError(`${name} is missing.`, "Type it when asked, or pipe it in.");
  return secret;
}

/** Whoever signed in here before signs in again. */
const emailOf = (place: Place, options: LoginOptions) =>
  options.setup === undefined ? place.email : undefined;

/** Saves the session where this server is known already, or else in the person's own file. */
function remember(cli: Cli, place: Place, session: Session): string {
  const file = place.file?.file ?? personalFile(cli);
  saveServer(file, {
    url: place.url,
    session: session.secret,
    email: session.user?.email ?? "",
    ...(place.caFile !== undefined && { caFile: keepAuthority(place, place.caFile, file) }),
  });
  return file;
}

/** The certificate to trust is kept beside the session, so that neither is found without the other. */
function keepAuthority(place: Place, caFile: string, file: string): string {
  const folder = path.dirname(file);
  if (path.dirname(caFile) === folder || place.file?.kind === "folder") return caFile;
  const { hostname, port } = new URL(place.url);
  const kept = `ca-${hostname.replace(/[^\w.-]/g, "_")}-${port || "443"}.pem`;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  copyFileSync(caFile, path.join(folder, kept));
  return kept;
}

function welcome(cli: Cli, place: Place, session: Session, file: string): string {
  const { user, expireTime } = session;
  const lines = [
    `Signed in to ${place.url} as ${plain(user?.displayName ?? "")}, ${enumWord(RoleSchema, user?.role ?? 0)}.`,
    `The session ends ${deadlineText(expireTime, cli.now())}; it is kept in ${file}.`,
  ];
  if (cli.environment.LUMETRY_TOKEN) {
    lines.push("LUMETRY_TOKEN is set, and other commands use that token in place of this session.");
  }
  return lines.join("\n");
}
