import type { Log } from "../../lib/log.ts";

/** Remembers which parts fail, so that each failure is logged once and not at every sample. */
export interface Failures {
  /** Warns, unless this part has been failing already. */
  failed(part: string, error: unknown): void;
  /** Whether nothing is failing. */
  none(): boolean;
  /** The next failure of this part will be news again. */
  worked(part: string): void;
}

export function makeFailures(log: Log): Failures {
  const failing = new Set<string>();
  return {
    failed(part, error) {
      if (failing.has(part)) return;
      failing.add(part);
      const reason = error instanceof Error ? error.message : String(error);
      log.warn({ part, reason }, "some host metrics are left out");
    },
    none: () => failing.size === 0,
    worked(part) {
      failing.delete(part);
    },
  };
}
