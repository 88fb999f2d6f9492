const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const UNITS: [name: string, ms: number, from: number][] = [
  ["day", DAY, 2 * DAY],
  ["hour", HOUR, HOUR],
  ["minute", MINUTE, MINUTE],
  ["second", SECOND, 0],
];

/** A span of milliseconds in its largest unit, rounded down: "42 seconds", "12 minutes", "47 hours", "3 days". */
export function spanText(ms: number): string {
  const length = Math.abs(ms);
  const [name, size] = UNITS.find(([, , from]) => length >= from) ?? ["second", SECOND];
  const count = Math.floor(length / size);
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}

/** A span that somebody has set, in the largest unit that leaves nothing over: "90 minutes", "36 hours", "7 days". */
export function setSpanText(ms: number): string {
  const [name, size] = UNITS.find(([, each, from]) => ms >= from && ms % each === 0) ?? [
    "second",
    SECOND,
  ];
  const count = ms / size;
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}

/** How long ago something was: "just now", "12 minutes ago", or "in 59 minutes" for a negative age. */
export function ageText(ms: number): string {
  if (Math.abs(ms) < SECOND) return "just now";
  return ms > 0 ? `${spanText(ms)} ago` : `in ${spanText(ms)}`;
}
