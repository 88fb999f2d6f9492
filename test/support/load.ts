import { createHash } from "node:crypto";
import { once } from "node:events";
import type { EdgeSettings } from "../../edge/edge.ts";
import type { RouteTiming } from "../../edge/routes.ts";
import type { Status } from "../../edge/status.ts";
import { EdgeProgram } from "./collector-process.ts";
import { eventually } from "./eventually.ts";
import type { ProgramOptions } from "./program.ts";

/** What a loaded collector measures. */
export const LOAD = "test.load";

export interface Load {
  settings: EdgeSettings;
  /** A file of lines that outlives the process; see loaded-edge.ts. */
  ledger?: string;
  everyMs: number;
  /** Series of each sample, a point each. */
  goodSeries: number;
  /** More of them, whose values are not numbers: the server refuses these. */
  badSeries: number;
  /** Bytes of a label that does not compress, on every series. */
  padBytes: number;
  /** In place of the patience that routes have. */
  routeTiming?: RouteTiming;
  /** The number of a sample that is more than a server takes in one request. */
  huge?: number;
  /**
   * A mistake, for a test that has to find it: "lies" acknowledges batches that were never sent,
   * "forgets" gives a batch another id although it may be stored.
   */
  bug?: "lies" | "forgets" | undefined;
}

/** The same for the same series, so that it adds bytes and no series. */
export function textOfPad(series: number, bytes: number): string {
  let text = "";
  for (let part = 0; text.length < bytes; part += 1) {
    text += createHash("sha512").update(`${series}/${part}`).digest("base64url");
  }
  return text.slice(0, bytes);
}

export const HUGE_SERIES = 20_001;

/** What a test need not say about a load. */
export const LIGHT_LOAD = { everyMs: 100, goodSeries: 10, badSeries: 0, padBytes: 0 } as const;

/** A collector with much to do; see loaded-edge.ts. */
export class LoadedEdge extends EdgeProgram {
  readonly #load: Load;

  constructor(load: Load, options?: ProgramOptions) {
    const parameters = [JSON.stringify(load)];
    super("test/support/loaded-edge.ts", parameters, load.settings.dataDir, options);
    this.#load = load;
  }

  /** From now on it measures nothing. Gives the number of its last sample, once that is queued. */
  async quiet(): Promise<number> {
    const quiet = once(this.child, "message");
    this.child.send("quiet");
    const [{ lastSerial }] = await quiet;
    return lastSerial;
  }

  /** Waits until it is quiet and the server has settled all that it measured, and stops it. */
  async drain(): Promise<Status> {
    const { goodSeries, badSeries } = this.#load;
    const points = (await this.quiet()) * (goodSeries + badSeries);
    await eventually(`the server has settled ${points} points`, async () => {
      const { appendedPoints, queuedPoints } = (await this.status())?.queue ?? {};
      return appendedPoints === points && queuedPoints === 0;
    });
    await this.stop();
    const status = await this.status();
    if (!status) throw new Error("it left no status");
    return status;
  }
}
