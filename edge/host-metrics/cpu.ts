import type { Clock } from "../../lib/clock.ts";
import { parseCount, readProc } from "./proc.ts";
import type { Metadata, Sample } from "./sampler.ts";

export const cpuMetadata: readonly Metadata[] = [
  {
    metric: "system.cpu.utilization",
    kind: "gauge",
    unit: "1",
    description:
      "Share of all CPU time since the last sample that was neither idle nor waiting for I/O, 0 to 1.",
  },
  {
    metric: "system.cpu.time",
    kind: "counter",
    unit: "s",
    description:
      "Time that all CPUs together spent in each state; guests count as user and nice time.",
  },
];

/** The states in the order of /proc/stat; guest and guest_nice follow but are part of user and nice. */
const states = [
  "user",
  "nice",
  "system",
  "idle",
  "iowait",
  "interrupt",
  "softirq",
  "steal",
] as const;
export type CpuState = (typeof states)[number];

/** Seconds by state; old kernels know only the first four. */
export type CpuTimes = Partial<Record<CpuState, number>>;

/** Linux counts in USER_HZ, which is 100 on every architecture that Node runs on. */
const ticksPerSecond = 100;

/** A state with this many ticks is a negative number in disguise. */
const nonsenseTicks = 2 ** 63;

/** Reads the line of all CPUs in /proc/stat; throws if user, nice, system or idle are missing. */
export function parseCpuTimes(stat: string): CpuTimes {
  const line = /^cpu[ \t]+(.*)$/m.exec(stat)?.[1];
  if (line === undefined) throw new Error("no line of all CPUs in /proc/stat");
  const fields = line.trim().split(/\s+/);
  const times: CpuTimes = {};
  for (const [index, state] of states.entries()) {
    const ticks = parseCount(fields[index]);
    if (ticks !== undefined && ticks < nonsenseTicks) times[state] = ticks / ticksPerSecond;
    else if (index < 4) throw new Error(`no ${state} time in /proc/stat`);
  }
  return times;
}

/**
 * Busy share between two readings, 0 to 1. Undefined when no time passed, or when idle time fell by
 * more than a twentieth of the busy time, as after a migration: then no figure would be honest.
 */
export function utilizationBetween(before: CpuTimes, after: CpuTimes): number | undefined {
  let busy = 0;
  let idle = 0;
  for (const state of states) {
    const grown = (after[state] ?? 0) - (before[state] ?? 0);
    // Kernels move time between idle and iowait, so only their sum may be judged.
    if (state === "idle" || state === "iowait") idle += grown;
    else busy += Math.max(0, grown);
  }
  if (idle < -busy / 20) return undefined;
  const total = busy + Math.max(0, idle);
  return total > 0 ? Math.min(1, busy / total) : undefined;
}

/** Falls up to this many seconds are the kernel's inaccuracy, larger ones a reset. */
const smallFall = 60;

/**
 * The times to report after `before` was reported. A small fall is held back until the counter has
 * caught up, because a reader would take it for a reset and count the whole total again.
 */
export function holdSmallFalls(before: CpuTimes, now: CpuTimes): CpuTimes {
  const held: CpuTimes = {};
  for (const state of states) {
    const value = now[state];
    if (value === undefined) continue;
    const last = before[state] ?? 0;
    held[state] = last - value <= smallFall ? Math.max(last, value) : value;
  }
  return held;
}

/** The first utilization covers at least this long; later ones the time between samples. */
const shortestBaselineMs = 200;

/**
 * Takes the baseline at once, so that the first reading has a utilization already; when that comes
 * sooner than 200 ms later, it waits for the rest.
 */
export function makeCpuReader(procRoot: string, clock: Clock): () => Promise<Sample[]> {
  const read = () => parseCpuTimes(readProc(procRoot, "stat"));
  let baseline: CpuTimes | undefined;
  let reported: CpuTimes = {};
  let baselineAge: (() => number) | undefined;
  try {
    baseline = read();
    const taken = clock.monotonic();
    baselineAge = () => clock.monotonic() - taken;
  } catch {
    // The first reading meets the same error and reports it.
  }
  return async () => {
    if (baselineAge !== undefined) {
      const age = baselineAge();
      baselineAge = undefined;
      if (age < shortestBaselineMs) await clock.sleep(shortestBaselineMs - age);
    }
    const times = read();
    const utilization = baseline === undefined ? undefined : utilizationBetween(baseline, times);
    baseline = times;
    reported = holdSmallFalls(reported, times);
    const samples: Sample[] = [];
    if (utilization !== undefined)
      samples.push({ metric: "system.cpu.utilization", labels: {}, value: utilization });
    for (const [state, value] of Object.entries(reported))
      samples.push({ metric: "system.cpu.time", labels: { state }, value });
    return samples;
  };
}
