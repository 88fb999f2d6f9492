import type { Sample } from "../sampler.ts";
import { type CimRow, countIn } from "./rows.ts";

const MEBIBYTE = 2 ** 20;

/** All page files together, of Win32_PageFileUsage; a host without one has none of either. */
export function pageFileSamples(rows: CimRow[]): Sample[] {
  let [limit, used] = [0, 0];
  for (const row of rows) {
    const size = countIn(row, "AllocatedBaseSize");
    const usage = countIn(row, "CurrentUsage");
    if (size === undefined || usage === undefined || usage > size) continue;
    limit += size * MEBIBYTE;
    used += usage * MEBIBYTE;
  }
  const metric = "system.paging.usage";
  return [
    { metric, labels: { state: "used" }, value: used },
    { metric, labels: { state: "free" }, value: limit - used },
  ];
}
