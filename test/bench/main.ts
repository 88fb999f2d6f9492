/**
 * `npm run bench [NAME …] [--quick]`: measures each figure beside its peer or its limit, prints it,
 * and keeps it in docs/benchmarks.md unless it was measured too quickly to be worth it.
 */
import { parseArgs } from "node:util";
import { asText, keep, machine, type Section } from "./report.ts";

export interface BenchOptions {
  /** Shorter and fewer rounds, to see whether a bench works. */
  quick: boolean;
}

type Bench = (options: BenchOptions) => Promise<Section>;

const BENCHES: Record<string, () => Promise<Bench>> = {
  queue: async () => (await import("./queue.ts")).benchQueue,
  ingest: async () => (await import("./ingest.ts")).benchIngest,
  query: async () => (await import("./query.ts")).benchQuery,
  growth: async () => (await import("./query.ts")).benchGrowth,
  relay: async () => (await import("./relay.ts")).benchRelay,
  console: async () => (await import("./console.ts")).benchConsole,
  agent: async () => (await import("./agent.ts")).benchAgent,
  work: async () => (await import("./work.ts")).benchWork,
  rules: async () => (await import("./rules.ts")).benchRules,
  "work-hands": async () => (await import("./work-hands.ts")).benchWorkHands,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean", default: false } },
});
const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
const unknown = names.filter((name) => !Object.hasOwn(BENCHES, name));
if (unknown.length > 0) {
  console.error(
    `there is no bench ${unknown.join(", ")}; there are ${Object.keys(BENCHES).join(", ")}`,
  );
  process.exit(2);
}

console.log(`${machine()}\n`);
for (const name of names) {
  const begun = performance.now();
  const bench = await BENCHES[name]?.();
  if (!bench) continue;
  const section = await bench(values);
  console.log(asText(section));
  const seconds = Math.round((performance.now() - begun) / 1000);
  const where = values.quick ? "" : `, kept in ${await keep(name, section)}`;
  console.log(`\n${name}: ${seconds} s${where}\n`);
}
