import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { SettingsError } from "../../lib/settings.ts";

/**
 * Seals what has to be read again, and may not be read in a copy of the database: AES-256-GCM under
 * a key in a file of its own. A sealed value is bound to its place: it does not open in another.
 *
 *   sealed: version, 8 bytes that name the key, 12 random bytes, ciphertext, 16 bytes of tag
 */
export interface Keyring {
  /** The name of the key that seals, in hexadecimal form. */
  readonly sealingKey: string;
  has(keyId: string): boolean;
  seal(plain: Uint8Array, place: readonly string[]): Buffer;
  /** Throws UnknownKey, or SealBroken for a value that was damaged or belongs elsewhere. */
  open(sealed: Buffer, place: readonly string[]): Buffer;
}

/** The value is sealed under a key that this server does not have. */
export class UnknownKey extends Error {
  override name = "UnknownKey";
  readonly keyId: string;

  constructor(keyId: string) {
    super(`it is sealed under the encryption key ${keyId}, which this server does not have`);
    this.keyId = keyId;
  }
}

export class SealBroken extends Error {
  override name = "SealBroken";
}

const VERSION = 1;
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES;

interface Key {
  id: string;
  secret: KeyObject;
}

/** Each key is a line of base64, 32 bytes; the first one seals, the others only open. */
function readKeys(file: string): Key[] {
  const lines = readFileSync(file, "utf8")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  if (lines.length === 0) throw new SettingsError(`${file} holds no encryption key`);
  return lines.map((line, index) => {
    const bytes = Buffer.from(line, "base64");
    if (bytes.length !== 32 || !/^[A-Za-z0-9+/]{43}=$/.test(line)) {
      throw new SettingsError(
        `${file}: key ${index + 1} is not 32 bytes in base64; make one with: openssl rand -base64 32`,
      );
    }
    const id = createHash("sha256").update("lumetry encryption key").update(bytes).digest();
    return {
      id: id.subarray(0, KEY_ID_BYTES).toString("hex"),
      secret: createSecretKey(bytes),
    };
  });
}

/** Makes a file with one new key, unless there is one; several processes may try at once. */
function makeKeyFile(file: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  const draft = `${file}.${randomBytes(6).toString("hex")}`;
  writeFileSync(draft, `${randomBytes(32).toString("base64")}\n`, {
    mode: 0o600,
    flag: "wx",
    flush: true,
  });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(draft);
  }
}

/** Reads the keys of a file; `make` has one made when there is no such file. */
export function openKeyring(file: string, { make }: { make: boolean }): Keyring {
  let keys: Key[];
  try {
    if (make) makeKeyFile(file);
    keys = readKeys(file);
  } catch (error) {
    if (error instanceof SettingsError) throw error;
    throw new SettingsError(
      `the encryption keys in ${file} cannot be read: ${(error as Error).message}`,
    );
  }
  const [first] = keys as [Key];

  return {
    sealingKey: first.id,
    has: (keyId) => keys.some(({ id }) => id === keyId),

    seal(plain, place) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", first.secret, nonce);
      cipher.setAAD(placeBytes(place));
      const body = [cipher.update(plain), cipher.final()];
      const head = [Buffer.from([VERSION]), Buffer.from(first.id, "hex"), nonce];
      return Buffer.concat([...head, ...body, cipher.getAuthTag()]);
    },

    open(sealed, place) {
      const keyId = keyOf(sealed);
      const key = keys.find(({ id }) => id === keyId);
      if (!key) throw new UnknownKey(keyId);
      const nonce = sealed.subarray(1 + KEY_ID_BYTES, HEAD_BYTES);
      const end = sealed.length - TAG_BYTES;
      try {
        const decipher = createDecipheriv("aes-256-gcm", key.secret, nonce);
        decipher.setAAD(placeBytes(place));
        decipher.setAuthTag(sealed.subarray(end));
        return Buffer.concat([decipher.update(sealed.subarray(HEAD_BYTES, end)), decipher.final()]);
      } catch (error) {
        throw new SealBroken("a sealed value was damaged, or moved from another place", {
          cause: error,
        });
      }
    },
  };
}

/** The name of the key that a value is sealed under. */
export function keyOf(sealed: Buffer): string {
  if (sealed.length < HEAD_BYTES + TAG_BYTES || sealed[0] !== VERSION) {
    throw new SealBroken("a value is not sealed, or by a later version");
  }
  return sealed.subarray(1, 1 + KEY_ID_BYTES).toString("hex");
}

/** No two places have the same bytes. */
const placeBytes = (place: readonly string[]) => Buffer.from(JSON.stringify(place));
