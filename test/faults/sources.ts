import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startScene } from "../bench/work-hands.ts";

const INTERVAL_MS = 10_000;
const MIB = 2 ** 20;

/**
 * `npm run faults sources -- --minutes 5 --sources 1000`: of many sources a tenth hang, drip or redirect
 * forever. The others keep their intervals within a tenth, tests start within a second, memory stays flat.
 */
export async function run(argv: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: argv,
    options: {
      minutes: { type: "string", default: "5" },
      sources: { type: "string", default: "1000" },
    },
  });
  const lastsMs = Number(values.minutes) * 60_000;
  await using scene = await startScene({
    sources: Number(values.sources),
    intervalMs: INTERVAL_MS,
    timeoutMs: INTERVAL_MS,
    badEvery: 10,
  });
  console.log(
    `${values.sources} sources every 10 s, a tenth of them bad, for ${values.minutes} minutes`,
  );
  // Until every source is known, and those that hang are left alone.
  await wait(3 * INTERVAL_MS);
  await scene.ask("report");
  let isFine = true;
  const starts: number[] = [];
  const memory: number[] = [];
  const cpu = process.cpuUsage();
  const begun = performance.now();
  const until = begun + lastsMs;
  while (performance.now() < until) {
    await wait(5_000);
    const { startedMs } = await scene.ask("test");
    starts.push(startedMs);
    memory.push(process.memoryUsage().rss / MIB);
  }
  const report = await scene.ask("report");
  const { polls } = scene.hands.work.status();
  const third = Math.ceil(memory.length / 3);
  const early = Math.max(...memory.slice(0, third));
  const late = Math.max(...memory.slice(-third));
  const check = (what: string, value: string, holds: boolean) => {
    isFine &&= holds;
    console.log(`  ${holds ? "holds" : "FAILS"}  ${what}: ${value}`);
  };
  const percent = (part: number) => `${(part * 100).toFixed(1)} %`;
  check("good sources were polled", `${report.polls} times`, report.polls > 0);
  check(
    "their intervals are off by at most a tenth",
    `worst ${percent(report.worst)}, p99 ${percent(report.p99)}`,
    report.worst <= 0.1,
  );
  check(
    "tests start within a second",
    `worst ${Math.max(...starts).toFixed(0)} ms of ${starts.length}`,
    Math.max(...starts) < 1_000,
  );
  check(
    "memory is flat",
    `${early.toFixed(0)} MiB early, ${late.toFixed(0)} MiB late`,
    late < early * 1.2 + 20,
  );
  const { user, system } = process.cpuUsage(cpu);
  const cores = (user + system) / 1000 / (performance.now() - begun);
  console.log(`  CPU of the hands: ${cores.toFixed(2)} cores`);
  console.log(
    `  slots: ${polls.running} of ${polls.slots} running, ${polls.slow} slow, ${polls.waiting} waiting, ${polls.skipped} skipped`,
  );
  return isFine;
}
