import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { enrollAgent } from "../../agent/enroll.ts";
import { enrollCollector } from "../../collector/enroll.ts";
import { readHostFacts } from "../../edge/host-metrics/host-facts.ts";
import type { Sample } from "../../edge/host-metrics/sampler.ts";
import { systemClock } from "../../lib/clock.ts";
import { makeLog } from "../../lib/log.ts";
import { stopSignal } from "../../lib/signals.ts";
import { HUGE_SERIES, LOAD, type Load, textOfPad } from "./load.ts";

/*
 * Run as a process of its own: a collector as it is, but for what it measures. Each sample has a
 * serial number, which is the value of all its points, and goes on from one process to the next by
 * a ledger. A line of it is there before what it says becomes true, or after:
 *   intent n   sample n is asked for, and will be appended to the queue
 *   done n     sample n has been appended, since the next one is asked for
 */
const load: Load = JSON.parse(process.argv[2] ?? "{}");
const { settings, ledger, everyMs, goodSeries, badSeries, padBytes, routeTiming } = load;

/** Puts a mistake into the uploading, for a test that has to find it. */
function seedBug(at: string, mistake: string): void {
  registerHooks({
    load(url, context, next) {
      const module = next(url, context);
      if (!url.endsWith("/edge/uploading.ts")) return module;
      const source = String(module.source);
      if (!source.includes(at)) throw new Error(`edge/uploading.ts has no ${at} any more`);
      return { ...module, source: source.replace(at, mistake) };
    },
  });
}

if (load.bug === "lies") {
  seedBug(
    "answer = await send(",
    `globalThis.lies = (globalThis.lies ?? 0) + 1;
      if (globalThis.lies % 3 === 0) answer = { refusals: [], refusedPoints: 0n } as never;
      else answer = await send(`,
  );
}

if (load.bug === "forgets") {
  seedBug("else if (this.#isCertainlyNew(batch)) await", "else if (verdict.nothingStored) await");
}

let serial = 0;
/** Appended to the queue once another sample is asked for. */
let asked: number | undefined;
let isQuiet = false;
process.on("message", (message) => {
  isQuiet = message === "quiet";
});
process.on("disconnect", () => process.exit(1));

const note = (line: string) => ledger && appendFileSync(ledger, `${line}\n`);
if (ledger && existsSync(ledger)) {
  for (const [, number] of readFileSync(ledger, "utf8").matchAll(/^intent (\d+)$/gm)) {
    serial = Math.max(serial, Number(number));
  }
}

function nextSample(): Sample[] {
  if (asked !== undefined) note(`done ${asked}`);
  asked = undefined;
  if (isQuiet) {
    process.send?.({ lastSerial: serial });
    return [];
  }
  serial += 1;
  asked = serial;
  note(`intent ${serial}`);
  const good = serial === load.huge ? HUGE_SERIES : goodSeries;
  return Array.from({ length: good + badSeries }, (_, index) => ({
    metric: LOAD,
    labels: {
      series: String(index),
      ...(padBytes > 0 && { pad: textOfPad(index, padBytes) }),
    },
    value: index < good ? serial : Number.NaN,
  }));
}

const { runEdge } = await import("../../edge/edge.ts");
try {
  await runEdge(settings, {
    sampler: { metadata: [], isComplete: () => true, sample: async () => nextSample() },
    redeem: settings.kind === "agent" ? enrollAgent({ case: undefined }) : enrollCollector,
    facts: readHostFacts,
    clock: systemClock,
    log: makeLog("info", { process: settings.kind }),
    signal: stopSignal(),
    sampleEveryMs: everyMs,
    routeTiming,
  });
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
process.exit(0);
