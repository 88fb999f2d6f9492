import { sql } from "kysely";
import type { Clock } from "../lib/clock.ts";
import type { Database } from "./db/database.ts";

/** Whether this process should be given work. */
export interface Readiness {
  /** Aborted once the server begins to stop. */
  readonly draining: AbortSignal;
  /** Why not, in words for operators; empty when it is ready. Never rejects. */
  reasons(): Promise<string[]>;
}

const PATIENCE_MS = 2_000;
/** So long an answer stands: however often it is asked, the database is asked at most so often. */
const TRUST_MS = 1_000;

export function makeReadiness(db: Database, draining: AbortSignal, clock: Clock): Readiness {
  let asking: Promise<string | undefined> | undefined;
  let known: { reason: string | undefined; until: number } | undefined;

  const ask = async () => {
    try {
      await sql`select 1`.execute(db);
      return undefined;
    } catch {
      return "the database cannot be reached";
    }
  };
  const askInTime = async () => {
    const given = new AbortController();
    // A question that is not answered yet is not asked again.
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    const late = clock
      .sleep(PATIENCE_MS, given.signal)
      .then(() => `the database has not answered within ${PATIENCE_MS / 1000} s`);
    const reason = await Promise.race([asking, late]);
    given.abort();
    known = { reason, until: clock.monotonic() + TRUST_MS };
    return reason;
  };

  return {
    draining,
    async reasons() {
      const database = known && known.until > clock.monotonic() ? known.reason : await askInTime();
      return [
        ...(draining.aborted ? ["the server is stopping"] : []),
        ...(database === undefined ? [] : [database]),
      ];
    },
  };
}
