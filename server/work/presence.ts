import type { Clock } from "../../lib/clock.ts";
import { makeRecentMap } from "../../lib/recent-map.ts";
import type { Queries } from "../db/transaction.ts";
import type { Claimant } from "./claims.ts";
import type { Reporter } from "./report.ts";
import { renewWorker, seeWorker } from "./workers.ts";

/** Who was noted so lately need not be noted again; their lease lasts much longer. */
const NOTED_FOR_MS = 3_000;

/** Keeps track of which collectors were heard of, without a write for every call. */
export interface Presence {
  /** False for one that was revoked. `anew` has it noted even if it just was. */
  see(claimant: Claimant, capabilities: readonly string[], anew: boolean): Promise<boolean>;
  /** Prolongs the lease of one that has asked for work before. */
  renew(reporter: Reporter): Promise<void>;
}

export function makePresence(queries: Queries, clock: Clock): Presence {
  const noted = makeRecentMap<{ at: number; as: string }>(4 << 20);
  const isNoted = (key: string, as?: string) => {
    const found = noted.get(key);
    return (
      found !== undefined &&
      clock.monotonic() - found.at < NOTED_FOR_MS &&
      (as === undefined || found.as === as)
    );
  };
  const keyOf = ({ workspaceId, collectorId, processId }: Reporter) =>
    `${workspaceId} ${collectorId} ${processId}`;

  return {
    async see(claimant, capabilities, anew) {
      const key = keyOf(claimant);
      const as = capabilities.join(" ");
      if (!anew && isNoted(key, as)) return true;
      const at = clock.monotonic();
      const isKnown = await seeWorker(queries, claimant, capabilities);
      if (isKnown) noted.set(key, { at, as });
      return isKnown;
    },
    async renew(reporter) {
      const key = keyOf(reporter);
      if (isNoted(key)) return;
      const at = clock.monotonic();
      await renewWorker(queries, reporter.workspaceId, reporter.collectorId);
      noted.set(key, { at, as: noted.get(key)?.as ?? "" });
    },
  };
}
