import { hash, randomFillSync } from "node:crypto";
import { crc32 } from "node:zlib";

/**
 * A secret is a prefix that tells its kind, 43 random digits in base62 (256 bits) and a CRC-32, so that
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

function checksum(text: string): string {
  let rest = crc32(text);
  let digits = "";
  for (let digit = 0; digit < CHECK_LENGTH; digit += 1) {
    digits = ALPHABET[rest % 62] + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}

/** Random bytes, drawn many at a time, each used once and blotted out. */
const drawn = Buffer.alloc(4_096);
let used = drawn.length;

/** Bytes from here on would make the first digits likelier than the others. */
const FAIR = 256 - (256 % 62);

function randomDigits(length: number): string {
  let digits = "";
  while (digits.length < length) {
    if (used === drawn.length) {
      randomFillSync(drawn);
      used = 0;
    }
    const byte = drawn[used] as number;
    drawn[used] = 0;
    used += 1;
    if (byte < FAIR) digits += ALPHABET[byte % 62];
  }
  return digits;
}

export function makeSecret(kind: SecretKind): string {
  const body = `${kind}_${randomDigits(BODY_LENGTH)}`;
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
  return hash("sha256", secret, "buffer");
}

/** Ours, and the secrets of webhooks, whose form is that of Standard Webhooks. */
const ANYWHERE = /\b(?:lmt[a-z]{2}_[0-9A-Za-z]+|whsec_[0-9A-Za-z+/=]+)/g;

/** Blots out every secret in a text that is meant for a log or an error. */
export function redactSecrets(text: string): string {
  return text.replace(ANYWHERE, (secret) => `${secret.slice(0, 6)}…`);
}
