import { createPrivateKey, randomUUID, X509Certificate } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { DAY_MS, day, type Pair } from "../../lib/certificates/pair.ts";
import type { Source } from "../../lib/certificates/source.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { issueCertificate, makeAuthority } from "./authority.ts";
import { certifiedNames, wantedNames } from "./names.ts";

const RENEW_BEFORE_MS = 30 * DAY_MS;

async function readOrNothing(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

/** Replaces a file whole, so that a kill leaves the old one or the new one. */
async function replaceFile(file: string, text: string, mode: number): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, text, { mode, flush: true });
  await rename(draft, file);
}

function parse(cert: string): X509Certificate | undefined {
  try {
    return new X509Certificate(cert);
  } catch {
    return undefined;
  }
}

function belongs(key: string, certificate: X509Certificate): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

const lasts = (certificate: X509Certificate, now: number) =>
  certificate.validFromDate.getTime() <= now &&
  certificate.validToDate.getTime() - now >= RENEW_BEFORE_MS;

/** The key comes first in server.pem, the certificate after it: one file, so one atomic rename. */
function splitPem(text: string): Pair {
  const at = Math.max(0, text.indexOf("-----BEGIN CERTIFICATE-----"));
  return { key: text.slice(0, at), cert: text.slice(at) };
}

/**
 * A certificate for a trial, made by a private authority in `folder`: `ca.crt` for clients to trust,
 * `ca.key` and `server.pem` for nobody else. Looked at daily, and made anew before it expires or when
 * the names change; the authority stays, so clients go on trusting it.
 */
export async function localCertificate(
  folder: string,
  hostnames: string[],
  { log, clock }: { log: Log; clock: Clock },
): Promise<Source> {
  const names = wantedNames(hostnames);
  const file = (name: string) => path.join(folder, name);
  await mkdir(folder, { recursive: true, mode: 0o755 });

  async function authorityToSign(): Promise<Pair> {
    const known = {
      key: await readOrNothing(file("ca.key")),
      cert: await readOrNothing(file("ca.crt")),
    };
    const certificate = parse(known.cert);
    if (certificate && lasts(certificate, clock.now()) && belongs(known.key, certificate)) {
      return known;
    }
    const made = await makeAuthority(os.hostname(), clock.now());
    await replaceFile(file("ca.key"), made.key, 0o600);
    await replaceFile(file("ca.crt"), made.cert, 0o644);
    if (known.cert !== "") {
      log.warn(
        { caFile: file("ca.crt") },
        "the local certificate authority could not be used any longer and was made anew; clients must trust the new one",
      );
    }
    return made;
  }

  async function known(): Promise<Pair | undefined> {
    const pair = splitPem(await readOrNothing(file("server.pem")));
    const certificate = parse(pair.cert);
    const authority = parse(await readOrNothing(file("ca.crt")));
    if (!certificate || !authority) return undefined;
    const isGood =
      lasts(certificate, clock.now()) &&
      lasts(authority, clock.now()) &&
      belongs(pair.key, certificate) &&
      certificate.verify(authority.publicKey) &&
      certifiedNames(certificate).sort().join() === names.toSorted().join();
    return isGood ? pair : undefined;
  }

  async function make(): Promise<Pair> {
    const pair = await issueCertificate(await authorityToSign(), names, clock.now());
    await replaceFile(file("server.pem"), pair.key + pair.cert, 0o600);
    const until = day(new X509Certificate(pair.cert).validToDate);
    log.info({ caFile: file("ca.crt"), names, until }, "a certificate was made for a trial");
    return pair;
  }

  return {
    first: (await known()) ?? (await make()),
    caFile: file("ca.crt"),
    everyMs: DAY_MS,
    refresh: async () => ((await known()) ? undefined : await make()),
  };
}
