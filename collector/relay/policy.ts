import path from "node:path";
import { readIfPresent, writeDurably } from "../../lib/durable-file.ts";
import type { Log } from "../../lib/log.ts";

/** What the zone says about its relays, kept so that it also holds while the server is away. */
export class Policy {
  #file: string;
  allowsCleartext: boolean;

  private constructor(file: string, allowsCleartext: boolean) {
    this.#file = file;
    this.allowsCleartext = allowsCleartext;
  }

  /** Cleartext is allowed until the zone has spoken, and not where its word cannot be read. */
  static async load(directory: string, log: Log): Promise<Policy> {
    const file = path.join(directory, "policy.json");
    const text = await readIfPresent(file);
    if (text === undefined) return new Policy(file, true);
    try {
      return new Policy(file, JSON.parse(text).allowsCleartext === true);
    } catch (error) {
      log.warn(
        { file, err: error },
        "the kept policy is damaged; only TLS is taken until it is heard anew",
      );
      return new Policy(file, false);
    }
  }

  /** In force at once, and after a restart. */
  async set(allowsCleartext: boolean): Promise<void> {
    if (allowsCleartext === this.allowsCleartext) return;
    this.allowsCleartext = allowsCleartext;
    await writeDurably(this.#file, `${JSON.stringify({ allowsCleartext })}\n`);
  }
}
