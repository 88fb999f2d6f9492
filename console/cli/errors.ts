import { Code, ConnectError } from "@connectrpc/connect";
import { ProblemSchema, Problem_Reason as Reason } from "../../gen/lumetry/access/v1/problem_pb.js";
import { spanText } from "../../lib/age.ts";

/** How this program ends; --help documents it. */
export const ExitCode = {
  OK: 0,
  FAILED: 1,
  USAGE: 2,
  NOT_SIGNED_IN: 3,
  NOT_ALLOWED: 4,
  UNREACHABLE: 5,
  INTERRUPTED: 130,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** A failure in words for the person at the keyboard: what is the matter, and what to do. */
export class CliError extends Error {
  override name = "CliError";
  readonly exitCode: ExitCode;
  /** What to do about it. */
  readonly hint: string | undefined;

  constructor(message: string, options: { exitCode?: ExitCode; hint?: string } = {}) {
    super(message);
    this.exitCode = options.exitCode ?? ExitCode.FAILED;
    this.hint = options.hint;
  }
}

/** A command that cannot be meant as it was typed. */
export const usageError = (message: string, hint?: string) =>
  new CliError(message, { exitCode: ExitCode.USAGE, ...(hint !== undefined && { hint }) });

/** What was being called, for the words of an error. */
export interface Called {
  /** The server, as an origin. */
  server: string;
  caFile?: string | undefined;
  /** Whether a credential was sent along. */
  signedIn: boolean;
  /** It is one that `lumetry up` runs. */
  isUp?: boolean;
}

/** Any error at all, in one sentence and a hint. */
export function explain(error: unknown, called?: Called): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof ConnectError) {
    return explainNetwork(error, called) ?? explainAnswer(error, called);
  }
  return new CliError(error instanceof Error ? error.message : String(error));
}

const UNTRUSTED =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|CERT_SIGNATURE_FAILURE|CERT_UNTRUSTED)$/;

/** The code of whatever error of the network is at the bottom of this one. */
function networkCode(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (typeof code === "string") return code;
    if (at instanceof AggregateError) return networkCode(at.errors[0]);
  }
  return undefined;
}

function explainNetwork(error: ConnectError, called: Called | undefined): CliError | undefined {
  const code = networkCode(error);
  if (code === undefined) return undefined;
  const server = called?.server ?? "the server";
  const unreachable = (message: string, hint: string) =>
    new CliError(message, { exitCode: ExitCode.UNREACHABLE, hint });
  if (UNTRUSTED.test(code)) {
    return unreachable(
      called?.caFile
        ? `The certificate of ${server} is not signed by the authority in ${called.caFile}.`
        : `The certificate of ${server} is not signed by an authority that this machine trusts.`,
      "A Lumetry server that made its own certificate says at its start which file to trust: copy that file here and name it with --ca FILE or LUMETRY_CA. Never go on without.",
    );
  }
  switch (code) {
    case "ECONNREFUSED":
      return unreachable(
        `Nothing listens at ${server}.`,
        called?.isUp
          ? 'Start it again with "lumetry up", or name another server with --server URL.'
          : 'Is the server running? Start one with "lumetry server", or name another with --server URL.',
      );
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return unreachable(
        `The name of ${server} cannot be resolved.`,
        "Check the spelling of the URL, and this machine's DNS.",
      );
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return unreachable(
        `The certificate of ${server} is ${code === "CERT_HAS_EXPIRED" ? "no longer" : "not yet"} valid.`,
        "Check this machine's clock; otherwise the server needs a new certificate.",
      );
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return unreachable(
        `The certificate of ${server} is for another name.`,
        "Use the name that the certificate holds, or have the server add this one with --tls-hostnames.",
      );
    case "EPROTO":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
      return unreachable(
        `${server} does not speak TLS.`,
        "If it is meant to be so, write http:// in place of https://.",
      );
    case "ECONNRESET":
    case "EPIPE":
      return unreachable(
        `${server} broke off the connection.`,
        "Try again; if it stays so, check that the URL starts with https:// for a server that uses TLS.",
      );
    default:
      return /^(E[A-Z]+|ERR_|CERT_)/.test(code)
        ? unreachable(
            `${server} cannot be reached: ${error.rawMessage}.`,
            "Check the URL and the network in between.",
          )
        : undefined;
  }
}

const REASONS: Partial<Record<Reason, string>> = {
  [Reason.CREDENTIAL_EXPIRED]: 'Sign in again with "lumetry login".',
  [Reason.TOO_LARGE]: "Send less at once.",
  [Reason.CONFLICT]: "Look at how it is now, and try again.",
  [Reason.DUPLICATE_SUSPECTED]:
    'Find out which process owns the identity, then "lumetry collectors dismiss-duplicate".',
};

function explainAnswer(error: ConnectError, called: Called | undefined): CliError {
  const [found] = error.findDetails(ProblemSchema);
  const message = sentence(error.rawMessage);
  const fail = (exitCode: ExitCode, hint?: string) =>
    new CliError(message, { exitCode, ...(hint !== undefined && { hint }) });
  switch (error.code) {
    case Code.Unauthenticated:
      // A wrong password or invitation says all there is to say itself.
      if (called && !called.signedIn) return fail(ExitCode.NOT_SIGNED_IN);
      return fail(
        ExitCode.NOT_SIGNED_IN,
        REASONS[found?.reason ?? Reason.UNSPECIFIED] ?? 'Sign in with "lumetry login".',
      );
    case Code.PermissionDenied:
      return fail(
        ExitCode.NOT_ALLOWED,
        'See what you may do with "lumetry whoami"; an administrator can change your role.',
      );
    case Code.Unimplemented:
      return new CliError(
        `What answers at ${called?.server ?? "the server"} does not know this call.`,
        { hint: "It is not a Lumetry server, or an older one than this command line." },
      );
    case Code.DeadlineExceeded:
      return new CliError(`${called?.server ?? "The server"} did not answer in time.`, {
        exitCode: ExitCode.UNREACHABLE,
        hint: "Try again; if it stays so, look at the server's log.",
      });
    case Code.Unavailable:
      return fail(ExitCode.UNREACHABLE, "Try again in a moment.");
    case Code.Unknown:
    case Code.Internal:
      return found || !/HTTP|content.type|parse|JSON/i.test(error.rawMessage)
        ? fail(ExitCode.FAILED)
        : new CliError(
            `What answers at ${called?.server ?? "the server"} is not a Lumetry server (${error.rawMessage}).`,
            { exitCode: ExitCode.UNREACHABLE, hint: "Check the URL." },
          );
    default: {
      const wait = found?.retryAfter && Number(found.retryAfter.seconds) * 1000;
      const hint = wait ? `Try again in ${spanText(wait)}.` : REASONS[found?.reason ?? 0];
      return fail(ExitCode.FAILED, hint);
    }
  }
}

/** With a capital letter and a full stop, as a person would write it. */
function sentence(text: string): string {
  const clean = text.trim();
  if (clean === "") return "The call failed.";
  const first = /^[a-z]+\b/.test(clean) ? clean.charAt(0).toUpperCase() + clean.slice(1) : clean;
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}
