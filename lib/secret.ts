import { createHash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

/**
 * A secret is a prefix that tells its kind, 256 random bits in base62 and a CRC-32, so that
 * junk is refused before a database is asked. Only its SHA-256 is ever stored.
 */
export type SecretKind =
  | "lmtce" // collector enrollment token
  | "lmtcc" // collector credential
  | "lmtae" // agents' enrollment token, of a profile
  | "lmtac" // agent credential
  | "lmtik" // ingestion key
  | "lmtut" // personal access token of a user
  | "lmtss" // session of a user
  | "lmtiv" // invitation of a user
  | "lmtsu" // set-up of a deployment
  | "lmtwc"; // claim of work

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BODY_LENGTH = 43; // 62^43 > 2^256
const CHECK_LENGTH = 6; // 62^6 > 2^32
const SHAPE = new RegExp(
  `^(lmt[a-z]{2})_([0-9A-Za-z]{${BODY_LENGTH}})([0-9A-Za-z]{${CHECK_LENGTH}})$`,
);

/** Digits that a number holds exactly, which is much faster than a bigint for each. */
const CHUNK_DIGITS = 8;
const CHUNK = 62n ** BigInt(CHUNK_DIGITS);

function toBase62(value: bigint, length: number): string {
  let text = "";
  for (let rest = value; text.length < length; rest /= CHUNK) {
    let chunk = Number(rest % CHUNK);
    for (let digit = 0; digit < CHUNK_DIGITS; digit += 1) {
      text = ALPHABET[chunk % 62] + text;
      chunk = Math.floor(chunk / 62);
    }
  }
  return text.slice(-length);
}

const checksum = (text: string) => toBase62(BigInt(crc32(text)), CHECK_LENGTH);

export function makeSecret(kind: SecretKind): string {
  const body = `${kind}_${toBase62(BigInt(`0x${randomBytes(32).toString("hex")}`), BODY_LENGTH)}`;
  return body + checksum(body);
}

/** The kind of a well-formed secret; undefined for anything else. */
export function secretKind(text: string): SecretKind | undefined {
  const match = SHAPE.exec(text);
  if (!match) return undefined;
  const [, kind, body, check] = match;
  return checksum(`${kind}_${body}`) === check ? (kind as SecretKind) : undefined;
}

/** What is stored in place of a secret. */
export function hashSecret(secret: string | Uint8Array): Buffer {
  return createHash("sha256").update(secret).digest();
}

/** Ours, and the secrets of webhooks, whose form is that of Standard Webhooks. */
const ANYWHERE = /\b(?:lmt[a-z]{2}_[0-9A-Za-z]+|whsec_[0-9A-Za-z+/=]+)/g;

/** Blots out every secret in a text that is meant for a log or an error. */
export function redactSecrets(text: string): string {
  return text.replace(ANYWHERE, (secret) => `${secret.slice(0, 6)}…`);
}
