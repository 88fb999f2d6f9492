import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { hostname } from "node:os";
import path from "node:path";
import { DAY_MS, day, type Pair } from "../../lib/certificates/pair.ts";
import type { Source } from "../../lib/certificates/source.ts";
import type { Clock } from "../../lib/clock.ts";
import { readIfPresent, writeDurably } from "../../lib/durable-file.ts";
import type { Log } from "../../lib/log.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const LASTS_DAYS = 365;
const RENEW_BEFORE_MS = 30 * DAY_MS;

/**
 * The collector's own key, made at its first start and kept for good, since agents pin it; and a
 * certificate that it signs for itself with it, renewed in time. Throws when the key is damaged: a new
 * one would lock out every agent that knows the old one, so a person decides that.
 */
export async function ownCertificate(
  directory: string,
  names: string[],
  { log, clock }: { log: Log; clock: Clock },
): Promise<Source> {
  const key = await loadKey(path.join(directory, "key.pem"));
  const file = path.join(directory, "certificate.pem");
  const wanted = [...new Set([hostname(), "localhost", "127.0.0.1", "::1", ...names])];

  const known = async (): Promise<Pair | undefined> => {
    const cert = await readIfPresent(file);
    return cert !== undefined && serves(cert, key, clock.now()) ? { key, cert } : undefined;
  };
  const make = async (): Promise<Pair> => {
    const cert = await sign(key, wanted, clock.now());
    await writeDurably(file, cert);
    const until = day(new X509Certificate(cert).validToDate);
    log.info({ until }, "a certificate was made for the relay's key");
    return { key, cert };
  };

  return {
    first: (await known()) ?? (await make()),
    caFile: undefined,
    everyMs: DAY_MS,
    refresh: async () => ((await known()) ? undefined : await make()),
  };
}

async function loadKey(file: string): Promise<string> {
  const kept = await readIfPresent(file);
  if (kept === undefined) {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const made = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    await writeDurably(file, made);
    return made;
  }
  try {
    createPrivateKey(kept);
    return kept;
  } catch {
    throw new Error(
      `${file} is damaged: restore it from a backup, or remove it to have a new key made, which every agent that pins the old one must then be told`,
    );
  }
}

function serves(cert: string, key: string, now: number): boolean {
  try {
    const certificate = new X509Certificate(cert);
    return (
      certificate.checkPrivateKey(createPrivateKey(key)) &&
      certificate.validFromDate.getTime() <= now &&
      certificate.validToDate.getTime() - now >= RENEW_BEFORE_MS
    );
  } catch {
    return false;
  }
}

/** Signs for itself. What makes certificates takes a while to load, so it is loaded only here. */
async function sign(key: string, names: string[], now: number): Promise<string> {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const pkcs8 = createPrivateKey(key).export({ type: "pkcs8", format: "der" });
  const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8, ALGORITHM, true, ["sign"]);
  const { d: _secret, ...jwk } = await crypto.subtle.exportKey("jwk", privateKey);
  const publicKey = await crypto.subtle.importKey(
    "jwk",
    { ...jwk, key_ops: ["verify"] },
    ALGORITHM,
    true,
    ["verify"],
  );
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: ["Lumetry collector"] }],
    keys: { privateKey, publicKey },
    serialNumber: `00${randomBytes(16).toString("hex")}`,
    signingAlgorithm: ALGORITHM,
    // Begins early, for agents whose clocks are late.
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(now + LASTS_DAYS * DAY_MS),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) ? ("ip" as const) : ("dns" as const), value })),
      ),
    ],
  });
  return `${certificate.toString("pem")}\n`;
}
