import { randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { DAY_MS, type Pair } from "../../lib/certificates/pair.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** It costs a fifth of a second to load, so only whoever makes a certificate does. */
async function loadX509() {
  await import("reflect-metadata");
  return await import("@peculiar/x509");
}

const makeKeys = () => crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);

async function toPem(key: CryptoKey, certificate: { rawData: ArrayBuffer }): Promise<Pair> {
  const { PemConverter } = await loadX509();
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", key);
  return {
    key: `${PemConverter.encode(pkcs8, "PRIVATE KEY")}\n`,
    cert: `${PemConverter.encode(certificate.rawData, "CERTIFICATE")}\n`,
  };
}

async function fromPem(key: string): Promise<CryptoKey> {
  const { PemConverter } = await loadX509();
  const pkcs8 = PemConverter.decodeFirst(key);
  return crypto.subtle.importKey("pkcs8", pkcs8, ALGORITHM, false, ["sign"]);
}

/** Positive, and nowhere near another one. */
const serialNumber = () => `00${randomBytes(16).toString("hex")}`;
/** Begins early, for clients whose clocks are late. */
const validity = (now: number, days: number) => ({
  notBefore: new Date(now - 3_600_000),
  notAfter: new Date(now + days * DAY_MS),
});

/** Makes a private certificate authority that is good for ten years. */
export async function makeAuthority(hostname: string, now: number): Promise<Pair> {
  const x509 = await loadX509();
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [`Lumetry on ${hostname.slice(0, 32)}, ${new Date(now).toISOString()}`] }],
    keys,
    serialNumber: serialNumber(),
    signingAlgorithm: ALGORITHM,
    ...validity(now, 3652),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return toPem(keys.privateKey, certificate);
}

/** Makes a server certificate for host names and addresses that is good for a year. */
export async function issueCertificate(
  authority: Pair,
  names: string[],
  now: number,
): Promise<Pair> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(authority.cert);
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ CN: ["Lumetry"] }],
    issuer: issuer.subjectName,
    publicKey: keys.publicKey,
    signingKey: await fromPem(authority.key),
    serialNumber: serialNumber(),
    signingAlgorithm: ALGORITHM,
    ...validity(now, 365),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) ? ("ip" as const) : ("dns" as const), value })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return toPem(keys.privateKey, certificate);
}
