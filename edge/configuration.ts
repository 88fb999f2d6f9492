import { createHash } from "node:crypto";
import path from "node:path";
import { AcknowledgeConfigRequest_Outcome as Outcome } from "../gen/lumetry/edge/v1/config_service_pb.js";
import type { ConfigReading } from "../lib/config-document.ts";
import { readIfPresent, writeDurably } from "../lib/durable-file.ts";
import type { Log } from "../lib/log.ts";
import type { Upstream } from "./upstream.ts";

/** What this process does, with every default filled in. */
export interface Instructions {
  hostMetrics: { enabled: boolean; intervalSeconds: number };
}

interface Stored {
  /** The last valid document, in force. */
  revision: string;
  document: string;
  /** The newest revision looked at, and the word on it that the server has not heard yet. */
  considered: string;
  unsent?: { outcome: "applied" | "rejected"; reason: string; ignoredKeys: string[] };
}

/** What reads documents takes five megabytes, which an edge without one can do without. */
const loadReader = async () => (await import("../lib/config-document.ts")).readConfigDocument;

const NOTHING: Stored = { revision: "0", document: "{}", considered: "0" };
const DEFAULT_INTERVAL_SECONDS = 60;

/** Of nothing, the defaults. */
function instructionsOf(reading?: ConfigReading): Instructions {
  const hostMetrics = reading?.valid ? reading.config.hostMetrics : undefined;
  return {
    hostMetrics: {
      enabled: hostMetrics?.enabled ?? true,
      intervalSeconds: hostMetrics?.intervalSeconds ?? DEFAULT_INTERVAL_SECONDS,
    },
  };
}

/**
 * Follows the published configuration: fetched → validated → kept on disk → in force →
 * acknowledged. An invalid revision is acknowledged as rejected and changes nothing else.
 */
export class Configuration {
  #file: string;
  #stored: Stored;
  #log: Log;
  #instructions: Instructions;
  #listeners: ((instructions: Instructions) => void)[] = [];

  private constructor(file: string, stored: Stored, instructions: Instructions, log: Log) {
    this.#file = file;
    this.#stored = stored;
    this.#log = log;
    this.#instructions = instructions;
  }

  /** Starts from the last valid document; from the defaults if there is none, or it is damaged. */
  static async load(directory: string, log: Log): Promise<Configuration> {
    const file = path.join(directory, "config.json");
    const text = await readIfPresent(file);
    let stored = NOTHING;
    let instructions = instructionsOf();
    if (text !== undefined) {
      try {
        const parsed: Stored = JSON.parse(text);
        const reading = (await loadReader())(parsed.document);
        if (!reading.valid) throw new Error("it holds no valid document");
        BigInt(parsed.revision);
        BigInt(parsed.considered);
        stored = parsed;
        instructions = instructionsOf(reading);
      } catch (error) {
        log.warn({ file, err: error }, "the kept configuration is damaged; it is fetched anew");
      }
    }
    return new Configuration(file, stored, instructions, log);
  }

  get instructions(): Instructions {
    return this.#instructions;
  }

  /** The revision in force; zero for the defaults. */
  get revision(): bigint {
    return BigInt(this.#stored.revision);
  }

  onChange(listener: (instructions: Instructions) => void): void {
    this.#listeners.push(listener);
  }

  async #save(stored: Stored): Promise<void> {
    await writeDurably(this.#file, `${JSON.stringify(stored, null, 2)}\n`);
    this.#stored = stored;
  }

  /** Fetches, applies and acknowledges whatever is newer than what was last looked at. */
  async follow(upstream: Upstream, latestRevision: bigint): Promise<void> {
    if (latestRevision > BigInt(this.#stored.considered)) await this.#fetch(upstream);
    await this.#acknowledge(upstream);
  }

  async #fetch(upstream: Upstream): Promise<void> {
    const { revision, document, documentSha256 } = await upstream.config.getConfig({});
    if (!createHash("sha256").update(document).digest().equals(documentSha256)) {
      throw new Error(`revision ${revision} arrived damaged; it is fetched again`);
    }
    // An older one than was looked at comes from a server that was set back: never follow it.
    if (revision <= BigInt(this.#stored.considered)) return;
    const reading = (await loadReader())(document);
    const considered = String(revision);
    if (!reading.valid) {
      this.#log.warn({ revision: considered, reason: reading.problem }, "configuration rejected");
      const unsent = { outcome: "rejected" as const, reason: reading.problem, ignoredKeys: [] };
      await this.#save({ ...this.#stored, considered, unsent });
      return;
    }
    const unsent = { outcome: "applied" as const, reason: "", ignoredKeys: reading.unknownKeys };
    await this.#save({ revision: considered, document, considered, unsent });
    this.#instructions = instructionsOf(reading);
    for (const listener of this.#listeners) listener(this.#instructions);
    this.#log.info({ revision: considered, ignored: reading.unknownKeys }, "configuration applied");
  }

  async #acknowledge(upstream: Upstream): Promise<void> {
    const { unsent, ...stored } = this.#stored;
    if (!unsent) return;
    await upstream.config.acknowledgeConfig({
      revision: BigInt(stored.considered),
      outcome: unsent.outcome === "applied" ? Outcome.APPLIED : Outcome.REJECTED,
      reason: unsent.reason.slice(0, 2000),
      ignoredKeys: unsent.ignoredKeys,
      runningRevision: BigInt(stored.revision),
    });
    await this.#save(stored);
  }
}
