import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { SettingsError } from "../settings.ts";

/** A private key and its certificate, or chain of certificates, in PEM form. */
export interface Pair {
  key: string;
  cert: string;
}

/** The two settings that name the files, for words that say what to do. */
export interface PairFlags {
  cert: string;
  key: string;
}

export const DAY_MS = 86_400_000;
export const day = (date: Date) => date.toISOString().slice(0, 10);

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

async function read(file: string, what: string, flag: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new SettingsError(
      `The ${what} file ${file} cannot be read: ${reasonOf(error)}. Give the path of a PEM file with ${flag} that the user of this process may read.`,
    );
  }
}

function parseCertificate(text: string, file: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch {
    throw new SettingsError(
      `${file} holds no certificate in PEM form: it must start with -----BEGIN CERTIFICATE-----.`,
    );
  }
}

function parseKey(text: string, file: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (error) {
    const isLocked = text.includes("ENCRYPTED");
    throw new SettingsError(
      isLocked
        ? `The private key in ${file} is locked with a passphrase: give it without one, for example as made by "openssl pkey -in ${file}".`
        : `${file} holds no private key in PEM form (${reasonOf(error)}): it must start with -----BEGIN PRIVATE KEY----- or its like.`,
    );
  }
}

/** Reads and checks a pair; throws a SettingsError that says what is wrong and what to do. */
export async function readPair(
  certFile: string,
  keyFile: string,
  now: number,
  flags: PairFlags,
): Promise<{ pair: Pair; certificate: X509Certificate }> {
  const cert = await read(certFile, "certificate", flags.cert);
  const key = await read(keyFile, "private key", flags.key);
  const certificate = parseCertificate(cert, certFile);
  if (!certificate.checkPrivateKey(parseKey(key, keyFile))) {
    throw new SettingsError(
      `The private key in ${keyFile} does not belong to the first certificate in ${certFile}: give the two that were issued together, and in a chain the server's own certificate first.`,
    );
  }
  if (certificate.validToDate.getTime() <= now) {
    throw new SettingsError(
      `The certificate in ${certFile} expired on ${day(certificate.validToDate)}: renew it, or leave ${flags.cert} and ${flags.key} out to have one made here.`,
    );
  }
  if (certificate.validFromDate.getTime() > now) {
    throw new SettingsError(
      `The certificate in ${certFile} is valid only from ${day(certificate.validFromDate)} on: check this machine's clock, or give another certificate.`,
    );
  }
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new SettingsError(`TLS cannot serve the certificate in ${certFile}: ${reasonOf(error)}.`);
  }
  return { pair: { key, cert }, certificate };
}
