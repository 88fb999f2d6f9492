/** In the hour, of one process; what else there is stays in agent.log. */
const MOST_AN_HOUR = 100;
const HOUR_MS = 3_600_000;
/** What Windows takes is about eight times that. */
const LONGEST_TEXT = 3_000;

interface LogLine {
  level?: unknown;
  msg?: unknown;
  reason?: unknown;
  err?: { message?: unknown };
  [field: string]: unknown;
}

const HIDDEN = new Set(["level", "time", "process", "msg", "reason", "err"]);

const shown = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));

/** "the queue is full: no space left (queuedPoints 17)", in one line. */
function sentence(line: LogLine): string {
  const why = line.reason ?? line.err?.message;
  const facts = Object.entries(line)
    .filter(([field]) => !HIDDEN.has(field))
    .map(([field, value]) => `${field} ${shown(value)}`)
    .join(", ");
  const text = `${line.msg}${why === undefined ? "" : `: ${why}`}${facts && ` (${facts})`}`;
  return text.replace(/\s+/g, " ").slice(0, LONGEST_TEXT);
}

const kindOf = (level: unknown) =>
  typeof level !== "number" || level < 30 ? undefined : level >= 50 ? "E" : level >= 40 ? "W" : "I";

/**
 * Turns lines of the agent's log into lines that the service host writes into the event log (run.c). What
 * is no line of the log is left out: the host tells of a crash itself.
 */
export function makeEvents(tell: (line: string) => void, now = () => performance.now()) {
  let since = now();
  let told = 0;
  let left = 0;

  const count = (): boolean => {
    if (now() - since >= HOUR_MS) {
      if (left > 0) tell(`W ${left} messages more in the last hour are in agent.log only\n`);
      [since, told, left] = [now(), 0, 0];
    }
    if (told < MOST_AN_HOUR) {
      told += 1;
      return true;
    }
    left += 1;
    return false;
  };

  return {
    take(text: string): void {
      for (const each of text.split("\n")) {
        if (!each.startsWith("{")) continue;
        let line: LogLine;
        try {
          line = JSON.parse(each);
        } catch {
          continue;
        }
        const kind = kindOf(line.level);
        if (kind !== undefined && count()) tell(`${kind} ${sentence(line)}\n`);
      }
    },
  };
}
