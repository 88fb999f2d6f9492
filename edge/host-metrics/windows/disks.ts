import type { Sample } from "../sampler.ts";
import { type CimRow, countIn, nameIn } from "./rows.ts";

/** The columns of Win32_PerfRawData_PerfDisk_PhysicalDisk; as raw data, "per second" is a running total. */
const COLUMNS = [
  ["io", "read", "DiskReadBytesPersec"],
  ["io", "write", "DiskWriteBytesPersec"],
  ["operations", "read", "DiskReadsPersec"],
  ["operations", "write", "DiskWritesPersec"],
] as const;

/** Named by its number, as drive letters come and go: "0 C: D:" is disk 0. */
const deviceOf = (name: string) => `PhysicalDrive${name.split(" ")[0]}`;

/** What whole disks have moved; a column that is missing costs that column. */
export function diskSamples(rows: CimRow[]): Sample[] {
  return rows.flatMap((row) => {
    const name = nameIn(row);
    if (name === undefined) return [];
    return COLUMNS.flatMap(([what, direction, column]): Sample[] => {
      const value = countIn(row, column);
      const labels = { device: deviceOf(name), direction };
      return value === undefined ? [] : [{ metric: `system.disk.${what}`, labels, value }];
    });
  });
}
