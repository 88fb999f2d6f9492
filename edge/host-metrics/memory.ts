import { parseCount, readProc } from "./proc.ts";
import type { Metadata, Sample } from "./sampler.ts";

export const memoryMetadata: readonly Metadata[] = [
  {
    metric: "system.memory.usage",
    kind: "gauge",
    unit: "By",
    description:
      "Memory by state (used, free, cached, buffers); the states add up to the memory of the host.",
  },
  {
    metric: "system.memory.utilization",
    kind: "gauge",
    unit: "1",
    description: "Share of memory that is not available to new work, 0 to 1.",
  },
  {
    metric: "system.memory.limit",
    kind: "gauge",
    unit: "By",
    description: "Memory of the host.",
  },
  {
    metric: "system.linux.memory.available",
    kind: "gauge",
    unit: "By",
    description: "Memory that new work can have without swapping, as the kernel estimates it.",
  },
  {
    metric: "system.paging.usage",
    kind: "gauge",
    unit: "By",
    description: "Swap space by state (used, free); both are 0 on a host without swap.",
  },
];

/** Bytes. `used`, `free`, `cached` and `buffers` add up to `limit`; `cached` includes reclaimable slab. */
export interface Memory {
  limit: number;
  used: number;
  free: number;
  cached: number;
  buffers: number;
  available: number;
  /** Absent where the kernel was built without swap. */
  swap?: { used: number; free: number };
}

/** Reads /proc/meminfo; throws if it does not say the total and the free memory. */
export function parseMemory(meminfo: string): Memory {
  const fields = new Map<string, number>();
  for (const line of meminfo.split("\n")) {
    const [name, amount] = line.split(/:\s*/);
    const kibibytes = parseCount(amount?.replace(/ kB\s*$/, ""));
    if (name !== undefined && kibibytes !== undefined) fields.set(name, kibibytes * 1024);
  }
  const of = (name: string) => fields.get(name) ?? 0;
  const limit = of("MemTotal");
  if (limit === 0 || !fields.has("MemFree")) throw new Error("no total or free memory in meminfo");
  // The fields are read one after another while they change, so each is cut to what is left.
  const free = Math.min(of("MemFree"), limit);
  const buffers = Math.min(of("Buffers"), limit - free);
  const cached = Math.min(of("Cached") + of("SReclaimable"), limit - free - buffers);
  const memory: Memory = {
    limit,
    used: limit - free - buffers - cached,
    free,
    cached,
    buffers,
    available: Math.min(fields.get("MemAvailable") ?? estimateAvailable(of), limit),
  };
  const swapTotal = fields.get("SwapTotal");
  if (swapTotal !== undefined) {
    const swapFree = Math.min(of("SwapFree"), swapTotal);
    memory.swap = { used: swapTotal - swapFree, free: swapFree };
  }
  return memory;
}

/** What kernels before 3.14 and some containers do not say: free memory and the caches that can be dropped. */
function estimateAvailable(of: (name: string) => number): number {
  const droppable = of("Buffers") + of("Cached") + of("SReclaimable") - of("Shmem");
  return of("MemFree") + Math.max(0, droppable);
}

export function readMemory(procRoot: string): Sample[] {
  const memory = parseMemory(readProc(procRoot, "meminfo"));
  const { limit, available, swap } = memory;
  const samples: Sample[] = [
    { metric: "system.memory.limit", labels: {}, value: limit },
    { metric: "system.memory.utilization", labels: {}, value: (limit - available) / limit },
    { metric: "system.linux.memory.available", labels: {}, value: available },
  ];
  for (const state of ["used", "free", "cached", "buffers"] as const)
    samples.push({ metric: "system.memory.usage", labels: { state }, value: memory[state] });
  if (swap !== undefined) {
    for (const state of ["used", "free"] as const)
      samples.push({ metric: "system.paging.usage", labels: { state }, value: swap[state] });
  }
  return samples;
}
