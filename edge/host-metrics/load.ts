import { parseCount, readProc } from "./proc.ts";
import type { Metadata, Sample } from "./sampler.ts";

export const loadMetadata: readonly Metadata[] = [
  {
    metric: "system.cpu.load_average.1m",
    kind: "gauge",
    unit: "{thread}",
    description:
      "Threads that ran, wanted to run or waited for a disk, averaged over the last minute.",
  },
  {
    metric: "system.processes.count",
    kind: "gauge",
    unit: "{process}",
    description:
      "Processes and threads by status (running), counted at the moment of the sample and including the sampler.",
  },
];

export interface Load {
  /** The one-minute average. */
  oneMinute: number;
  /** Absent where the kernel does not say. */
  running?: number;
}

/** Reads /proc/loadavg; throws if it does not start with a number. */
export function parseLoad(loadavg: string): Load {
  const fields = loadavg.trim().split(/\s+/);
  const average = fields[0] ?? "";
  if (!/^[0-9]{1,10}(\.[0-9]{1,9})?$/.test(average)) throw new Error("no load in /proc/loadavg");
  const load: Load = { oneMinute: Number(average) };
  const running = parseCount(fields[3]?.split("/")[0]);
  if (running !== undefined) load.running = running;
  return load;
}

export function readLoad(procRoot: string): Sample[] {
  const { oneMinute, running } = parseLoad(readProc(procRoot, "loadavg"));
  const samples: Sample[] = [
    { metric: "system.cpu.load_average.1m", labels: {}, value: oneMinute },
  ];
  if (running !== undefined)
    samples.push({
      metric: "system.processes.count",
      labels: { status: "running" },
      value: running,
    });
  return samples;
}
