import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import type { Sample } from "../../../../edge/host-metrics/sampler.ts";
import type { NativeFigures } from "../../../../edge/host-metrics/windows/native.ts";
import { makePowershell } from "../../../../edge/host-metrics/windows/powershell.ts";
import { makeWindowsSampler } from "../../../../edge/host-metrics/windows/windows.ts";
import { processIdentity } from "../../../../lib/process.ts";
import { eventually } from "../../../support/eventually.ts";
import { warnings } from "../../queue/fixtures.ts";
import { BROKEN_COUNTERS, WEB_SERVER, WEB_SERVER_SAMPLES } from "./synthetic.ts";

const FAKE = fileURLToPath(new URL("fake-powershell.ts", import.meta.url));

const fakeCommand = (manner: string, answer = "{}") => [
  ...["env", `LUMETRY_TEST_ANSWER=${answer}`],
  ...[process.execPath, FAKE, manner],
];

/** Two CPUs that were busy a third of the time between one reading and the next. */
function makeFigures(): NativeFigures {
  let readings = 0;
  return {
    cpus: () => {
      readings += 1;
      const times = { user: 500, nice: 0, sys: 500, irq: 100, idle: 2_000 };
      const at = Object.entries(times).map(([state, ms]) => [state, ms * readings]);
      return [1, 2].map(() => ({ times: Object.fromEntries(at) }));
    },
    totalmem: () => 16e9,
    freemem: () => 4e9,
    uptime: () => 86_400,
  };
}

function samplerOf(t: ExecutionContext, manner: string, answer?: string, patienceMs = 20_000) {
  const log = warnings();
  const powershell = makePowershell(fakeCommand(manner, answer), patienceMs);
  t.teardown(() => powershell.stop());
  return { log, sampler: makeWindowsSampler({ log, figures: makeFigures(), powershell }) };
}

const lineOf = ({ metric, labels, value }: Sample) => `${metric}${JSON.stringify(labels)} ${value}`;

const NATIVE = [
  `system.cpu.utilization{} ${2000 / 6000}`,
  'system.cpu.time{"state":"user"} 2',
  'system.cpu.time{"state":"system"} 1.6',
  'system.cpu.time{"state":"idle"} 8',
  'system.cpu.time{"state":"interrupt"} 0.4',
  "system.memory.limit{} 16000000000",
  "system.memory.utilization{} 0.75",
  'system.memory.usage{"state":"used"} 12000000000',
  'system.memory.usage{"state":"free"} 4000000000',
  "system.uptime{} 86400",
];

test("a web server shows its host, its sites and its application pools; what cannot be read is left out", async (t) => {
  const { sampler, log } = samplerOf(t, "slowly", WEB_SERVER);
  const samples = await sampler.sample();
  t.true(sampler.isComplete(), log.messages.join());
  const known = new Set(sampler.metadata.map(({ metric }) => metric));
  t.deepEqual(
    samples.filter(({ metric }) => !known.has(metric)),
    [],
  );
  t.true(samples.every(({ value }) => Number.isFinite(value) && value >= 0));
  const lines = samples.map(lineOf);
  t.deepEqual(lines.slice(0, NATIVE.length), NATIVE);
  t.deepEqual(lines.slice(NATIVE.length), WEB_SERVER_SAMPLES);
});

test("broken performance counters cost disks and network, and are said to; the rest is there", async (t) => {
  const { sampler, log } = samplerOf(t, "answer", BROKEN_COUNTERS);
  const metrics = new Set((await sampler.sample()).map(({ metric }) => metric));
  t.false(sampler.isComplete());
  t.true(metrics.has("system.filesystem.usage") && metrics.has("system.paging.usage"));
  t.false(metrics.has("system.disk.io") || metrics.has("system.network.io"));
  t.is(log.messages.length, 2);
  await sampler.sample();
  t.is(log.messages.length, 2, "told once");
});

for (const [manner, words] of [
  ["rubbish", "an answer that is no JSON"],
  ["silence", "no answer"],
  ["flood", "an answer without end"],
  ["die", "an end in the midst of it"],
] as const) {
  test(`of PowerShell, ${words} costs what only it knows, and the next sample begins anew`, async (t) => {
    const { sampler, log } = samplerOf(t, manner, "{}", manner === "silence" ? 300 : 20_000);
    for (let time = 0; time < 2; time += 1) {
      const lines = (await sampler.sample()).map(lineOf);
      t.is(lines.length, NATIVE.length);
      t.false(sampler.isComplete());
    }
    t.is(log.messages.length, 1);
  });
}

test("a host where PowerShell cannot be run is sampled all the same", async (t) => {
  const powershell = makePowershell(["/nowhere/powershell.exe"]);
  const sampler = makeWindowsSampler({ log: warnings(), figures: makeFigures(), powershell });
  t.is((await sampler.sample()).length, NATIVE.length);
  t.false(sampler.isComplete());
});

test("one PowerShell answers question after question; another takes its place when it was stopped", async (t) => {
  const powershell = makePowershell(fakeCommand("pid"));
  const first = await powershell.ask();
  t.deepEqual(await powershell.ask(), first);
  powershell.stop();
  await eventually("it is gone", () => processIdentity(Number(first)) === undefined);
  t.notDeepEqual(await powershell.ask(), first);
  powershell.stop();
});

test("answers of any shape cost no more than themselves", async (t) => {
  for (const answer of [
    "null",
    "[]",
    '"text"',
    '{"volumes": 7, "disks": {"rows": 7}, "network": {"rows": [null, 1, [], {}]}, "pageFiles": {"rows": null}}',
    '{"volumes": {"rows": [{"DeviceID": "C:", "Size": "1e3", "FreeSpace": -1}, {"DeviceID": 5}]}}',
    '{"iisPoolStates": {"rows": [{"Name": "_Total", "State": 1}, {"State": 1}, {"Name": "x", "State": "1"}]}}',
  ]) {
    const { sampler } = samplerOf(t, "answer", answer);
    const samples = await sampler.sample();
    t.true(samples.length >= NATIVE.length, answer);
    t.true(samples.every(({ value, labels }) => Number.isFinite(value) && !("" in labels)));
  }
});
