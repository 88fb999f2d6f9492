import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { SMTPServer } from "smtp-server";
import { issueCertificate, makeAuthority } from "../../server/certificates/authority.ts";

export interface ReceivedMail {
  from: string;
  to: string[];
  /** As it came over the wire, headers included. */
  raw: string;
  user: string;
  /** It came over TLS. */
  secure: boolean;
}

/** Somebody's mail server, on this machine. */
export interface MailServer extends AsyncDisposable {
  port: number;
  /** The authority of its certificate. */
  caFile: string;
  mails: ReceivedMail[];
  /** What it says to recipients whose address holds one of these. */
  refusals: Map<string, { code: number; words: string }>;
}

export const MAIL_USER = "lumetry";
export const MAIL_PASSWORD = "a pass:word/with@signs";

const refusal = ({ code, words }: { code: number; words: string }) =>
  Object.assign(new Error(words), { responseCode: code });

/** TLS from the start, or by STARTTLS; or none at all. */
export async function startMailServer(options: {
  tls: "implicit" | "starttls" | "none";
}): Promise<MailServer> {
  const directory = await mkdtemp(path.join(tmpdir(), "lumetry-mail-"));
  const caFile = path.join(directory, "ca.crt");
  const authority = await makeAuthority("mail", Date.now());
  await writeFile(caFile, authority.cert);
  const pair = await issueCertificate(authority, ["localhost"], Date.now());
  const mails: ReceivedMail[] = [];
  const refusals: MailServer["refusals"] = new Map();
  const server = new SMTPServer({
    ...pair,
    secure: options.tls === "implicit",
    logger: false,
    disableReverseLookup: true,
    authOptional: true,
    disabledCommands: options.tls === "none" ? ["STARTTLS", "AUTH"] : [],
    onAuth({ username, password }, _session, done) {
      if (username === MAIL_USER && password === MAIL_PASSWORD) done(null, { user: username });
      else done(refusal({ code: 535, words: "5.7.8 that is not the password" }));
    },
    onRcptTo({ address }, _session, done) {
      const found = [...refusals].find(([part]) => address.includes(part))?.[1];
      done(found ? refusal(found) : null);
    },
    onData(stream, { envelope, user, secure }, done) {
      text(stream).then((raw) => {
        const from = envelope.mailFrom ? envelope.mailFrom.address : "";
        const to = envelope.rcptTo.map(({ address }) => address);
        mails.push({ from, to, raw, user: String(user ?? ""), secure });
        done(null, "queued");
      }, done);
    },
  });
  server.on("error", () => {}); // a client that turns away
  const listening = server.listen(0, "127.0.0.1");
  await once(listening, "listening");
  return {
    port: (listening.address() as AddressInfo).port,
    caFile,
    mails,
    refusals,
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}
