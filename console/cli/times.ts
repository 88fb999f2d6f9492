import { InvalidArgumentError } from "commander";
import { duration } from "../../lib/settings.ts";

/**
 * A moment in milliseconds: "now", "2h" or "2h ago", RFC 3339, or local time as "15:04" (today),
 * "2026-01-05" or "2026-01-05 15:04[:05]".
 */
export function readMoment(text: string, now: number): number {
  const trimmed = text.trim();
  if (trimmed === "now") return now;
  const span = /^(\S+?)(\s+ago)?$/.exec(trimmed)?.[1] ?? "";
  if (/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(span)) return now - duration()(span);
  const clock = /^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$/.exec(trimmed);
  if (clock) {
    const date = new Date(now);
    date.setHours(Number(clock[1]), Number(clock[2]), Number(clock[3] ?? 0), 0);
    return date.getTime();
  }
  if (/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/.test(trimmed)) {
    // A day alone is a local day, as it is for a time without a zone.
    const parsed = new Date(trimmed.length === 10 ? `${trimmed}T00:00` : trimmed.replace(" ", "T"));
    // The 31st of February would be read as a day in March.
    const [year, month, day] = trimmed.slice(0, 10).split("-").map(Number);
    const exists = new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day)).getUTCDate() === day;
    if (exists && !Number.isNaN(parsed.getTime())) return parsed.getTime();
  }
  throw new InvalidArgumentError(
    'Write a time such as 15:04, 2026-01-05, "2026-01-05 15:04", 2026-01-05T15:04:00Z or 2h.',
  );
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12].map((count) => count * HOUR),
  DAY,
];

/** The round step in which a span has at most `most` points. */
export const stepFor = (spanMs: number, most: number) =>
  STEPS.find((step) => spanMs / step <= most) ?? Math.ceil(spanMs / most / DAY) * DAY;
