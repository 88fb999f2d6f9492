import { type CpuInfo, cpus, freemem, totalmem, uptime } from "node:os";
import { type CpuTimes, utilizationBetween } from "../cpu.ts";
import type { Sample } from "../sampler.ts";

/** What Node itself knows of the host. */
export interface NativeFigures {
  cpus(): Pick<CpuInfo, "times">[];
  totalmem(): number;
  freemem(): number;
  uptime(): number;
}

export const nativeFigures: NativeFigures = { cpus, totalmem, freemem, uptime };

/** Seconds of all CPUs together; what Windows calls system time includes its interrupts. */
export function cpuTimes(infos: Pick<CpuInfo, "times">[]): CpuTimes {
  const seconds = (of: (times: CpuInfo["times"]) => number) =>
    infos.reduce((sum, { times }) => sum + Math.max(0, of(times)), 0) / 1000;
  return {
    user: seconds(({ user }) => user),
    system: seconds(({ sys, irq }) => sys - irq),
    idle: seconds(({ idle }) => idle),
    interrupt: seconds(({ irq }) => irq),
  };
}

/** Has a baseline from the start, so that the first reading has a utilization already. */
export function makeCpuReader(figures: NativeFigures): () => Sample[] {
  let before = cpuTimes(figures.cpus());
  return () => {
    const now = cpuTimes(figures.cpus());
    if (now.idle === 0) throw new Error("Windows tells no CPU times");
    const utilization = utilizationBetween(before, now);
    before = now;
    const times = Object.entries(now).map(([state, value]) => ({
      metric: "system.cpu.time",
      labels: { state },
      value,
    }));
    return utilization === undefined
      ? times
      : [{ metric: "system.cpu.utilization", labels: {}, value: utilization }, ...times];
  };
}

/** Free is all that new work can have, cached files included. */
export function memorySamples(figures: NativeFigures): Sample[] {
  const limit = figures.totalmem();
  const free = Math.min(figures.freemem(), limit);
  if (limit <= 0) throw new Error("Windows tells no size of its memory");
  const usage = (state: string, value: number) => ({
    metric: "system.memory.usage",
    labels: { state },
    value,
  });
  return [
    { metric: "system.memory.limit", labels: {}, value: limit },
    { metric: "system.memory.utilization", labels: {}, value: (limit - free) / limit },
    usage("used", limit - free),
    usage("free", free),
  ];
}

export const uptimeSamples = (figures: NativeFigures): Sample[] => [
  { metric: "system.uptime", labels: {}, value: figures.uptime() },
];
