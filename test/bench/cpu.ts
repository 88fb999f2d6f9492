import { readdir, readFile } from "node:fs/promises";

/** Who used the processors while something ran: seconds by the program's name. */
export type CpuTimes = Map<string, number>;

const TICKS_PER_SECOND = 100;

/** Of this process and all that it has started, by what they are called in /proc. */
export async function cpuTimes(): Promise<CpuTimes> {
  const processes = new Map<number, { name: string; parent: number; seconds: number }>();
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, "utf8").catch(() => "");
    const [, name = "", rest = ""] = /^\d+ \((.*)\) (.*)$/s.exec(stat) ?? [];
    const fields = rest.split(" ");
    // With those of children that have ended, such as the load that ran.
    const ticks = [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field] ?? 0), 0);
    processes.set(Number(entry), {
      name: Number(entry) === process.pid ? "load" : name,
      parent: Number(fields[1]),
      seconds: ticks / TICKS_PER_SECOND,
    });
  }
  const isOurs = (pid: number): boolean =>
    pid === process.pid || (pid > 1 && isOurs(processes.get(pid)?.parent ?? 0));
  const times: CpuTimes = new Map();
  for (const [pid, { name, seconds }] of processes) {
    if (isOurs(pid)) times.set(name, (times.get(name) ?? 0) + seconds);
  }
  return times;
}

/** What was used since, the most first. */
export async function cpuSince(before: CpuTimes): Promise<[name: string, seconds: number][]> {
  const after = await cpuTimes();
  return [...after]
    .map(([name, seconds]): [string, number] => [name, seconds - (before.get(name) ?? 0)])
    .filter(([, seconds]) => seconds > 0.05)
    .sort(([, a], [, b]) => b - a);
}
