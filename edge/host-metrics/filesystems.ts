import { capDevices } from "./cap.ts";
import type { Failures } from "./failures.ts";
import { chooseMounts, type Mount, parseMounts } from "./mounts.ts";
import { readProc } from "./proc.ts";
import type { Metadata, Sample } from "./sampler.ts";
import type { AskSpace, Space } from "./space.ts";

export const filesystemMetadata: readonly Metadata[] = [
  {
    metric: "system.filesystem.usage",
    kind: "gauge",
    unit: "By",
    description:
      "Space by state: used, free (for anyone), reserved (for root); the states add up to the limit.",
  },
  {
    metric: "system.filesystem.utilization",
    kind: "gauge",
    unit: "1",
    description: "Used space as a share of the used and the free, 0 to 1; 1 is full.",
  },
  {
    metric: "system.filesystem.limit",
    kind: "gauge",
    unit: "By",
    description: "Size of the file system.",
  },
];

/** Bytes, and a share of 0 to 1. `used`, `free` and `reserved` add up to `limit`. */
export interface FilesystemUsage {
  limit: number;
  used: number;
  free: number;
  reserved: number;
  utilization: number;
}

/** Undefined for a file system without blocks, which stores nothing. */
export function usageOf(space: Space): FilesystemUsage | undefined {
  const unit = space.frsize || space.bsize;
  const limit = space.blocks * unit;
  if (!Number.isFinite(limit) || limit <= 0) return undefined;
  // Remote servers answer with anything, so each figure is cut to what is left.
  const unused = cut(space.bfree * unit, limit);
  const free = cut(space.bavail * unit, unused);
  const used = limit - unused;
  const utilization = used + free > 0 ? used / (used + free) : 1;
  return { limit, used, free, reserved: unused - free, utilization };
}

function cut(value: number, most: number): number {
  return value >= 0 ? Math.min(value, most) : 0;
}

/** Measures the real file systems in this process's mount namespace, each of them once. */
export function makeFilesystemReader(
  procRoot: string,
  failures: Failures,
  askSpace: AskSpace,
): () => Promise<Sample[]> {
  let text: string | undefined;
  let mounts: Mount[] = [];
  return async () => {
    const mountinfo = readProc(procRoot, "self/mountinfo");
    if (mountinfo !== text) mounts = chooseMounts(parseMounts(mountinfo));
    text = mountinfo;
    const answers = await askSpace(capDevices("file systems", mounts, failures));
    return answers.flatMap(([mount, space]) => samplesOf(mount, space));
  };
}

function samplesOf({ mountPoint, source, type }: Mount, space: Space): Sample[] {
  const usage = usageOf(space);
  if (usage === undefined) return [];
  const labels = { mountpoint: mountPoint, device: source, type };
  return [
    { metric: "system.filesystem.limit", labels: { ...labels }, value: usage.limit },
    { metric: "system.filesystem.utilization", labels: { ...labels }, value: usage.utilization },
    ...(["used", "free", "reserved"] as const).map((state) => ({
      metric: "system.filesystem.usage",
      labels: { ...labels, state },
      value: usage[state],
    })),
  ];
}
