/**
 * `npm run faults NAME`: the long forms of the fault runs, minutes of what `npm test` does in seconds.
 * Ends with 0 when everything was accounted for, else with 1.
 */
const RUNS: Record<string, () => Promise<{ run: (argv: string[]) => Promise<boolean> }>> = {
  collector: () => import("./collector.ts"),
  agent: () => import("./agent.ts"),
  identity: () => import("./identity.ts"),
  relay: () => import("./relay.ts"),
  points: () => import("./points.ts"),
  readers: () => import("./readers.ts"),
  rules: () => import("./rules.ts"),
  sources: () => import("./sources.ts"),
  work: () => import("./work.ts"),
  zone: () => import("./zone.ts"),
};

const [name = "", ...argv] = process.argv.slice(2);
const load = Object.hasOwn(RUNS, name) ? RUNS[name] : undefined;
if (!load) {
  console.error(`Usage: npm run faults -- ${Object.keys(RUNS).join("|")} [options]`);
  process.exitCode = 2;
} else {
  const { run } = await load();
  // Connections that were cut on purpose may leave something open for ever.
  process.exit((await run(argv)) ? 0 : 1);
}
