import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { writeDurably } from "../../lib/durable-file.ts";

const ALGORITHM = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

async function readBytes(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * A small file that is encrypted under a key in a file beside it. Whoever gets only one of the two, as
 * from a backup that leaves out the key, can read nothing; whoever reads the whole directory as its
 * user can.
 */
export class SealedFile {
  readonly #file: string;
  readonly #key: Buffer;

  private constructor(file: string, key: Buffer) {
    this.#file = file;
    this.#key = key;
  }

  /** With the key in the directory, which is made when there is none. */
  static async open(directory: string, name: string): Promise<SealedFile> {
    const keyFile = path.join(directory, `${name}.key`);
    let key = await readBytes(keyFile);
    if (key?.length !== KEY_BYTES) {
      key = randomBytes(KEY_BYTES);
      await writeDurably(keyFile, key);
    }
    return new SealedFile(path.join(directory, `${name}.sealed`), key);
  }

  async write(content: Uint8Array): Promise<void> {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce);
    const sealed = Buffer.concat([cipher.update(content), cipher.final()]);
    await writeDurably(this.#file, Buffer.concat([nonce, cipher.getAuthTag(), sealed]));
  }

  /** Undefined when there is none; throws when it is damaged or was sealed under another key. */
  async read(): Promise<Buffer | undefined> {
    const bytes = await readBytes(this.#file);
    if (bytes === undefined) return undefined;
    if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new Error(`${this.#file} is cut short`);
    const decipher = createDecipheriv(ALGORITHM, this.#key, bytes.subarray(0, NONCE_BYTES));
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const content = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
    return Buffer.concat([content, decipher.final()]);
  }
}
