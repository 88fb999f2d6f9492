import { readProc } from "./proc.ts";
import type { Metadata, Sample } from "./sampler.ts";

export const uptimeMetadata: readonly Metadata[] = [
  {
    metric: "system.uptime",
    kind: "gauge",
    unit: "s",
    description: "Time since the host was started.",
  },
];

/** Seconds, from the first field of /proc/uptime; throws if that is no number. */
export function parseUptime(uptime: string): number {
  const seconds = uptime.trim().split(/\s+/)[0] ?? "";
  if (!/^[0-9]{1,15}(\.[0-9]{1,9})?$/.test(seconds)) throw new Error("no uptime in /proc/uptime");
  return Number(seconds);
}

export function readUptime(procRoot: string): Sample[] {
  const value = parseUptime(readProc(procRoot, "uptime"));
  return [{ metric: "system.uptime", labels: {}, value }];
}
