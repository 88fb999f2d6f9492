import { createTransport } from "nodemailer";
import type { SMTPTransportOptions } from "nodemailer/lib/smtp-transport";
import { trusting } from "../../lib/egress/authorities.ts";
import type { Dialler } from "../../lib/egress/dialler.ts";
import { EgressFailure } from "../../lib/egress/failure.ts";
import { readHost, serverName } from "../../lib/egress/host.ts";
import { ATTEMPT_MS, type Outcome } from "./retry.ts";

/** A mail as it is kept until it is sent. */
export interface Mail {
  subject: string;
  text: string;
  html: string;
  /** Mails with the same one are one conversation; empty for none. */
  thread: string;
}

/** The server that mail is handed to. */
export interface MailServer {
  host: string;
  port: number;
  /** TLS from the start; else by STARTTLS where it is offered, and always before a password is sent. */
  tls: boolean;
  user: string;
  password: string;
}

export interface MailParts {
  dialler: Dialler;
  server: MailServer;
  /** The sender, such as "Lumetry <lumetry@example.com>". */
  from: string;
  /** An authority for the mail server's certificate besides the usual ones, as PEM. */
  ca: string | undefined;
}

/** Reads "smtp://user:password@mail.example.com:587" or "smtps://…", for the settings. */
export function smtpUrl(text: string): MailServer {
  const wrong = new Error('is no URL such as "smtps://user:password@mail.example.com:465".');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const tls = url?.protocol === "smtps:";
  if (!url || !(tls || url.protocol === "smtp:") || url.hostname === "") throw wrong;
  if (!/^\/?$/.test(url.pathname) || url.search || url.hash) throw wrong;
  try {
    return {
      host: readHost(url.hostname),
      port: url.port === "" ? (tls ? 465 : 587) : Number(url.port),
      tls,
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
    };
  } catch {
    throw wrong;
  }
}

/** Reads "lumetry@example.com" or "Lumetry <lumetry@example.com>", for the settings. */
export function mailAddress(text: string): string {
  if (/^(?:[^<>@\r\n"]+ <[^\s<>@"]+@[^\s<>@"]+>|[^\s<>@"]+@[^\s<>@"]+)$/.test(text)) return text;
  throw new Error('is no address such as "Lumetry <lumetry@example.com>".');
}

const domainOf = (from: string) => /@([^\s<>@]+?)>?$/.exec(from)?.[1] ?? "localhost";

/**
 * Hands a mail to the mail server, once. Never rejects: whatever goes wrong is its outcome. The id is that of
 * each attempt, so that a mail that comes twice can be told by it.
 */
export async function sendMail(
  { dialler, server, from, ca }: MailParts,
  mail: Mail,
  { deliveryId, recipients }: { deliveryId: string; recipients: readonly string[] },
): Promise<Outcome> {
  const begun = performance.now();
  const outcome = (httpStatus: number, failure: string, isFinal = false): Outcome => ({
    httpStatus,
    failure: failure.slice(0, 500),
    durationMs: performance.now() - begun,
    retryAfterMs: 0,
    isFinal,
  });
  const signal = AbortSignal.timeout(ATTEMPT_MS);
  const domain = domainOf(from);
  const options: SMTPTransportOptions = {
    host: server.host,
    port: server.port,
    secure: server.tls,
    requireTLS: server.user !== "",
    ...(server.user !== "" && { auth: { user: server.user, pass: server.password } }),
    tls: { secureContext: trusting(ca), servername: serverName(server.host) ?? "" },
    greetingTimeout: ATTEMPT_MS,
    socketTimeout: ATTEMPT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
    // The dialler alone connects, to an address that it has checked.
    getSocket: (_options, done) => {
      dialler
        .dial(server.host, server.port, { signal, ...(server.tls && { tls: { ca } }) })
        .then(({ socket }) => done(null, { connection: socket, secured: server.tls }))
        .catch((error: Error) => done(error, undefined));
    },
  };
  const transport = createTransport(options);
  try {
    const sent = await transport.sendMail({
      from,
      to: [...recipients],
      subject: mail.subject,
      text: mail.text,
      html: mail.html,
      messageId: `<${deliveryId}@${domain}>`,
      ...(mail.thread && { references: [`<${mail.thread}@${domain}>`] }),
      headers: { "auto-submitted": "auto-generated" },
    });
    const refused = sent.rejected.map(String);
    const code = Number(/^\d{3}/.exec(sent.response)?.[0] ?? 250);
    return outcome(code, refused.length > 0 ? `refused for ${refused.join(", ")}` : "");
  } catch (error) {
    if (signal.aborted) {
      return outcome(0, `${server.host} did not take the mail within ${ATTEMPT_MS / 1000} s`);
    }
    if (error instanceof EgressFailure) return outcome(0, error.message);
    const { message, responseCode = 0 } = error as Error & { responseCode?: number };
    return outcome(responseCode, message, isRefusedForGood(responseCode));
  } finally {
    transport.close();
  }
}

/** 5xx is for good, unless it is about how this server signs in: that, its operator can mend. */
const isRefusedForGood = (code: number) => code >= 550 && code < 560;
