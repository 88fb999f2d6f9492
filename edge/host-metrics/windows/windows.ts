import type { Log } from "../../../lib/log.ts";
import { capDevices } from "../cap.ts";
import { cpuMetadata } from "../cpu.ts";
import { diskMetadata } from "../disks.ts";
import { makeFailures } from "../failures.ts";
import { filesystemMetadata } from "../filesystems.ts";
import { memoryMetadata } from "../memory.ts";
import { networkMetadata } from "../network.ts";
import { type Parts, readParts } from "../parts.ts";
import type { Metadata, Sample, Sampler } from "../sampler.ts";
import { uptimeMetadata } from "../uptime.ts";
import { diskSamples } from "./disks.ts";
import {
  iisMetadata,
  poolSamples,
  poolStateSamples,
  siteSamples,
  siteStateSamples,
} from "./iis.ts";
import {
  makeCpuReader,
  memorySamples,
  type NativeFigures,
  nativeFigures,
  uptimeSamples,
} from "./native.ts";
import { networkSamples } from "./network.ts";
import { pageFileSamples } from "./page-files.ts";
import { makePowershell, type Powershell } from "./powershell.ts";
import { type CimRow, readSection } from "./rows.ts";
import { volumeSamples } from "./volumes.ts";

export interface WindowsSamplerOptions {
  log: Log;
  figures?: NativeFigures;
  powershell?: Powershell;
}

/** Not on Windows, or not to be had without guessing. */
const LEFT_OUT = new Set(["system.linux.memory.available", "system.disk.io_time"]);

/** Means the same as on other systems, so that one chart can show both. */
const metadata: readonly Metadata[] = [
  ...cpuMetadata,
  ...memoryMetadata,
  ...filesystemMetadata,
  ...networkMetadata,
  ...diskMetadata,
  ...uptimeMetadata,
  ...iisMetadata,
].filter(({ metric }) => !LEFT_OUT.has(metric));

/** How each section of query.ps1's answer is read. Those of IIS are there where it is installed. */
const SECTIONS: Record<string, (rows: CimRow[]) => Sample[]> = {
  volumes: volumeSamples,
  disks: diskSamples,
  network: networkSamples,
  pageFiles: pageFileSamples,
  iisSites: siteSamples,
  iisPools: poolSamples,
  iisSiteStates: siteStateSamples,
  iisPoolStates: poolStateSamples,
};

const OF_EVERY_HOST = new Set(["volumes", "disks", "network", "pageFiles"]);

/**
 * Samples Windows: CPU, memory and uptime by Node itself, the rest by a PowerShell that runs beside
 * it. What cannot be read costs that part only; without PowerShell the first three remain.
 */
export function makeWindowsSampler(options: WindowsSamplerOptions): Sampler {
  const { log, figures = nativeFigures, powershell = makePowershell() } = options;
  const failures = makeFailures(log);
  const readCpu = makeCpuReader(figures);

  const readSections = async (): Promise<Sample[]> => {
    const answer = await powershell.ask();
    return Object.entries(SECTIONS).flatMap(([name, samplesOf]) => {
      const section = readSection(answer, name);
      if (section === undefined) {
        if (OF_EVERY_HOST.has(name)) failures.failed(name, "it is missing in PowerShell's answer");
        else failures.worked(name);
        return [];
      }
      if ("error" in section) {
        failures.failed(name, section.error);
        return [];
      }
      failures.worked(name);
      return samplesOf(capDevices(name, section.rows, failures));
    });
  };

  const parts: Parts = {
    cpu: readCpu,
    memory: () => memorySamples(figures),
    uptime: () => uptimeSamples(figures),
    powershell: readSections,
  };
  return {
    metadata,
    isComplete: failures.none,
    sample: () => readParts(parts, failures),
  };
}
