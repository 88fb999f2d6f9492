import type { Log } from "../../lib/log.ts";
import type { Sampler } from "./sampler.ts";
import type { StatFilesystem } from "./space.ts";

/** The sampler of the operating system that this process runs on; only that one is loaded. */
export async function makeHostSampler(options: {
  log: Log;
  statFilesystem: StatFilesystem;
}): Promise<Sampler> {
  if (process.platform === "win32") {
    const { makeWindowsSampler } = await import("./windows/windows.ts");
    return makeWindowsSampler({ log: options.log });
  }
  const { makeLinuxSampler } = await import("./linux.ts");
  return makeLinuxSampler(options);
}
