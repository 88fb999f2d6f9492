import { existsSync, writeFileSync } from "node:fs";
import type {
  CreateCollectorResponse,
  ReplaceEnrollmentTokenResponse,
} from "../../gen/lumetry/v1/collector_service_pb.js";
import type { Cli } from "./cli.ts";
import { usageError } from "./errors.ts";
import { commandsText } from "./profile-text.ts";
import { isThisMachine } from "./session-files.ts";
import { deadlineText } from "./words.ts";

/** A file's name as a shell takes it for one word. */
const quoted = (file: string) =>
  /^[\w@%+=:,./-]+$/.test(file) ? file : `'${file.replaceAll("'", `'\\''`)}'`;

/**
 * How to install a collector on its host, or to start it there by hand, and how long its token
 * lives. The token is shown in it, or moved out of the answer to a file when one is named.
 */
export function enrollmentText(
  cli: Cli,
  answer: CreateCollectorResponse | ReplaceEnrollmentTokenResponse,
  tokenFile: string | undefined,
): string {
  const { enrollmentToken: token, commands } = answer;
  const { url, caFile } = cli.place() ?? { url: "", caFile: undefined };
  const strong = (text: string) => `  ${cli.terminal.paint(text, "bold")}`;
  if (tokenFile !== undefined && token) {
    writeToken(tokenFile, token.secret);
    if (commands) {
      const given = `--enroll-token ${token.secret}`;
      // A function, since the name of a file may hold what a replacement would read otherwise.
      commands.linux = commands.linux.replace(
        given,
        () => `--enroll-token-file ${quoted(tokenFile)}`,
      );
      // A server of another version may write it otherwise: rather no command than one that shows it.
      if (commands.linux.includes(token.secret)) commands.linux = "";
    }
    token.secret = "";
  }
  const ca = caFile === undefined ? "" : " --ca ca.pem";
  const install = commandsText(commands, cli.terminal);
  const lines = [
    ...(install === "" ? [] : [install, ""]),
    `Its token works once, until it ends ${deadlineText(token?.expireTime, cli.now())}. ${
      commands?.linux ? "To start it by hand, run on the host:" : "Run on the host:"
    }`,
    "",
  ];
  if (tokenFile === undefined) {
    const variables = `LUMETRY_ENROLLMENT_TOKEN=${token?.secret}`;
    lines.push(
      strong(`${variables} lumetry collector --server ${url}${ca}`),
      "",
      "or, to leave the token out of the shell's history, put it into a file:",
      "",
      strong(`lumetry collector --server ${url}${ca} --enrollment-token-file token`),
    );
  } else {
    lines.push(
      strong(`lumetry collector --server ${url}${ca} --enrollment-token-file ${quoted(tokenFile)}`),
    );
  }
  lines.push("");
  if (caFile !== undefined) lines.push(`ca.pem is ${caFile}: copy it to the host.`);
  if (isThisMachine(url)) {
    lines.push(`Another machine reaches this server by a name of its own in place of ${url}.`);
  }
  lines.push(
    tokenFile === undefined
      ? "The token is shown this once only."
      : `The token is in ${tokenFile}: copy it to the host; the collector needs it once.`,
  );
  return lines.join("\n");
}

/** Throws before anything is created if the token could not be written afterwards. */
export function requireFree(file: string | undefined): void {
  if (file !== undefined && existsSync(file)) {
    throw usageError(`${file} exists already; name a file that does not.`);
  }
}

function writeToken(file: string, secret: string): void {
  try {
    writeFileSync(file, `${secret}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw usageError(
      `The token cannot be written: ${(error as Error).message}.`,
      'The collector was created; make a new token with "lumetry collectors replace-token".',
    );
  }
}
