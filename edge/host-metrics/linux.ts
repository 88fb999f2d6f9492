import { statfs } from "node:fs/promises";
import { type Clock, systemClock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { cpuMetadata, makeCpuReader } from "./cpu.ts";
import { diskMetadata, readDisks } from "./disks.ts";
import { makeFailures } from "./failures.ts";
import { filesystemMetadata, makeFilesystemReader } from "./filesystems.ts";
import { loadMetadata, readLoad } from "./load.ts";
import { memoryMetadata, readMemory } from "./memory.ts";
import { networkMetadata, readNetwork } from "./network.ts";
import { type Parts, readParts } from "./parts.ts";
import type { Metadata, Sampler } from "./sampler.ts";
import { makeAskSpace, type StatFilesystem } from "./space.ts";
import { readUptime, uptimeMetadata } from "./uptime.ts";

export interface LinuxSamplerOptions {
  log: Log;
  /** Where procfs is mounted. */
  procRoot?: string;
  clock?: Clock;
  statFilesystem?: StatFilesystem;
}

const metadata: readonly Metadata[] = [
  ...cpuMetadata,
  ...memoryMetadata,
  ...loadMetadata,
  ...filesystemMetadata,
  ...networkMetadata,
  ...diskMetadata,
  ...uptimeMetadata,
];

/**
 * Samples what the kernel shows under /proc. CPU, memory, load, disks and uptime are the whole host's, also inside a
 * container with limits of its own; file systems and interfaces are those that this process can see.
 */
export function makeLinuxSampler(options: LinuxSamplerOptions): Sampler {
  const { log, procRoot = "/proc", clock = systemClock, statFilesystem = statfs } = options;
  const failures = makeFailures(log);
  const askSpace = makeAskSpace(failures, clock, statFilesystem);
  const parts: Parts = {
    cpu: makeCpuReader(procRoot, clock),
    memory: () => readMemory(procRoot),
    load: () => readLoad(procRoot),
    filesystems: makeFilesystemReader(procRoot, failures, askSpace),
    network: () => readNetwork(procRoot, failures),
    disks: () => readDisks(procRoot, failures),
    uptime: () => readUptime(procRoot),
  };
  return {
    metadata,
    isComplete: failures.none,
    sample: () => readParts(parts, failures),
  };
}
