import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

/**
 * Releases are signed with Ed25519 over SHA256SUMS, detached: the same bytes for the same packages.
 * Whoever has the public key checks them with
 * `openssl pkeyutl -verify -rawin -pubin -inkey KEY -in SHA256SUMS -sigfile SHA256SUMS.sig`.
 */
export function signSums(sums: Buffer, keyFile: string): { signature: Buffer; publicKey: string } {
  const key = createPrivateKey(readFileSync(keyFile));
  if (key.asymmetricKeyType !== "ed25519") {
    throw new Error(
      `${keyFile} holds a key of another kind than Ed25519; make one with --make-key`,
    );
  }
  return {
    signature: sign(null, sums, key),
    publicKey: String(createPublicKey(key).export({ type: "spki", format: "pem" })),
  };
}

/** Makes a key to sign with, for nobody but its owner to read; refuses to write over one. */
export function makeSigningKey(file: string): void {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }), {
    mode: 0o600,
    flag: "wx",
  });
  writeFileSync(`${file}.pub`, publicKey.export({ type: "spki", format: "pem" }));
}
