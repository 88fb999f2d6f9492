import type { Sample } from "../sampler.ts";
import { type CimRow, countIn, nameIn } from "./rows.ts";

/** The space on fixed drives, of Win32_LogicalDisk; one that cannot be read is skipped. */
export function volumeSamples(rows: CimRow[]): Sample[] {
  return rows.flatMap((row): Sample[] => {
    const mountpoint = nameIn(row, "DeviceID");
    const limit = countIn(row, "Size");
    const free = countIn(row, "FreeSpace");
    // A drive that is locked by BitLocker has neither.
    if (mountpoint === undefined || !limit || free === undefined || free > limit) return [];
    const labels = { mountpoint, device: mountpoint, type: nameIn(row, "FileSystem") ?? "unknown" };
    const used = limit - free;
    return [
      { metric: "system.filesystem.limit", labels, value: limit },
      { metric: "system.filesystem.utilization", labels, value: used / limit },
      { metric: "system.filesystem.usage", labels: { ...labels, state: "used" }, value: used },
      { metric: "system.filesystem.usage", labels: { ...labels, state: "free" }, value: free },
    ];
  });
}
