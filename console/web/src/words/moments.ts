import { useSyncExternalStore } from "react";

/** "local", "UTC" or a name of the IANA database. Kept in this browser: it is no secret. */
const KEY = "lumetry.time-zone";
const listeners = new Set<() => void>();

let chosen = localStorage.getItem(KEY) ?? "local";

export const localZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
const zone = () => (chosen === "local" ? localZone() : chosen);

export function chooseTimeZone(name: string): void {
  chosen = name;
  localStorage.setItem(KEY, name);
  formats.clear();
  for (const listener of listeners) listener();
}

/** The zone in which times are shown; what uses it is drawn again when it changes. */
export function useTimeZone(): { chosen: string; zone: string } {
  const name = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => chosen,
  );
  return {
    chosen: name,
    // To find out takes long, and hardly anybody who draws a time asks.
    get zone() {
      return zone();
    },
  };
}

const formats = new Map<string, Intl.DateTimeFormat>();

function parts(ms: number): Record<string, string> {
  let format = formats.get("parts");
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone(),
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      hourCycle: "h23",
      timeZoneName: "shortOffset",
    });
    formats.set("parts", format);
  }
  return Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]));
}

/** To the second, in the chosen zone: "2026-01-05 14:47:12". */
export function clockText(ms: number): string {
  const { year, month, day, hour, minute, second } = parts(ms);
  return `${year}-${month}-${day} ${hour}:${minute}:${second}`;
}

/** The same with the zone: "2026-01-05 14:47:12 GMT+1". */
export const exactText = (ms: number) => `${clockText(ms)} ${parts(ms).timeZoneName}`;

/** "14:47", or "Jan 5" at midnight: for the axis of a chart. */
export function tickText(ms: number, stepMs: number): string {
  const { month, day, hour, minute, second } = parts(ms);
  if (stepMs >= 86_400_000 || (hour === "00" && minute === "00" && second === "00")) {
    return `${month}-${day}`;
  }
  return stepMs < 60_000 ? `${hour}:${minute}:${second}` : `${hour}:${minute}`;
}

/** How far the chosen zone is from UTC at a moment, in milliseconds. */
export function offsetMs(ms: number): number {
  const { year, month, day, hour, minute, second } = parts(ms);
  const asUtc = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  return asUtc - Math.floor(ms / 1000) * 1000;
}

/** In the form of a field for local times: "2026-01-05T14:47:12". */
export const toField = (ms: number) => clockText(ms).replace(" ", "T");

/** What such a field says, in the zone that times are shown in; not a number when it says nothing. */
export function fromField(text: string): number {
  const asUtc = Date.parse(`${text}Z`);
  if (Number.isNaN(asUtc)) return asUtc;
  return asUtc - offsetMs(asUtc - offsetMs(asUtc));
}
