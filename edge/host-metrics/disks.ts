import { capDevices } from "./cap.ts";
import type { Failures } from "./failures.ts";
import { parseCount, readProc } from "./proc.ts";
import type { Metadata, Sample } from "./sampler.ts";

export const diskMetadata: readonly Metadata[] = [
  {
    metric: "system.disk.io",
    kind: "counter",
    unit: "By",
    description: "Bytes read and written, by whole disk and direction.",
  },
  {
    metric: "system.disk.operations",
    kind: "counter",
    unit: "{operation}",
    description: "Reads and writes completed, by whole disk and direction.",
  },
  {
    metric: "system.disk.io_time",
    kind: "counter",
    unit: "s",
    description: "Time during which the disk had work to do.",
  },
];

/** Running totals: bytes, completed operations, seconds. */
export interface Disk {
  device: string;
  io: { read: number; write: number };
  operations: { read: number; write: number };
  ioTime: number;
}

/** A sector of /proc/diskstats has 512 bytes whatever the disk's own sectors have. */
const sectorBytes = 512;

/**
 * Not storage of its own: loop and RAM devices, removable drives, and what is stacked on other disks (device
 * mapper, software RAID, caches, zvols, the paths of an NVMe multipath) and would count their bytes again.
 */
const leftOut = /^(loop|ram|zram|sr|scd|fd|dm-|md|bcache|drbd|zd)[0-9]|^nvme[0-9]+c[0-9]+n[0-9]+/;

/** Reads /proc/diskstats, partitions and all; a line that cannot be read is skipped. */
export function parseDisks(diskstats: string): Disk[] {
  const disks: Disk[] = [];
  for (const line of diskstats.split("\n")) {
    const fields = line.trim().split(/\s+/);
    const device = fields[2];
    const reads = parseCount(fields[3]);
    const sectorsRead = parseCount(fields[5]);
    const writes = parseCount(fields[7]);
    const sectorsWritten = parseCount(fields[9]);
    const busyMs = parseCount(fields[12]);
    if (device === undefined || reads === undefined || sectorsRead === undefined) continue;
    if (writes === undefined || sectorsWritten === undefined || busyMs === undefined) continue;
    disks.push({
      device,
      io: { read: sectorsRead * sectorBytes, write: sectorsWritten * sectorBytes },
      operations: { read: reads, write: writes },
      ioTime: busyMs / 1000,
    });
  }
  return disks;
}

/** Only whole disks that have been used since the start; a partition's bytes are its disk's bytes. */
export function wholeDisks(disks: Disk[]): Disk[] {
  const names = new Set(disks.map(({ device }) => device));
  return disks.filter(({ device, operations }) => {
    if (leftOut.test(device) || operations.read + operations.write === 0) return false;
    const disk = /^(.*[0-9])p[0-9]+$/.exec(device)?.[1] ?? /^(.*[^0-9])[0-9]+$/.exec(device)?.[1];
    return disk === undefined || !names.has(disk);
  });
}

export function readDisks(procRoot: string, failures: Failures): Sample[] {
  const disks = wholeDisks(parseDisks(readProc(procRoot, "diskstats")));
  const samples: Sample[] = [];
  for (const { device, ioTime, ...totals } of capDevices("disks", disks, failures)) {
    for (const direction of ["read", "write"] as const) {
      for (const what of ["io", "operations"] as const)
        samples.push({
          metric: `system.disk.${what}`,
          labels: { device, direction },
          value: totals[what][direction],
        });
    }
    samples.push({ metric: "system.disk.io_time", labels: { device }, value: ioTime });
  }
  return samples;
}
