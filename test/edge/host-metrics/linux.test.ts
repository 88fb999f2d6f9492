import { rm } from "node:fs/promises";
import { loadavg, totalmem, uptime } from "node:os";
import { join } from "node:path";
import test from "ava";
import { makeLinuxSampler } from "../../../edge/host-metrics/linux.ts";
import type { Sample } from "../../../edge/host-metrics/sampler.ts";
import { silentLog } from "../../../lib/log.ts";
import {
  changeProc,
  containerMounts,
  hurriedClock,
  makeListeningLog,
  makeProc,
  modernHost,
} from "./fixtures.ts";

const statFilesystem = async () => ({ bsize: 4096, blocks: 1000, bfree: 500, bavail: 400 });

const valueIn = (samples: Sample[], metric: string, labels: Record<string, string> = {}) =>
  samples.find(
    (sample) =>
      sample.metric === metric &&
      Object.entries(labels).every(([name, value]) => sample.labels[name] === value),
  )?.value;

const seriesOf = ({ metric, labels }: Sample) =>
  JSON.stringify([metric, Object.entries(labels).sort()]);

test("a host is sampled whole: each metric described, each series once, each value finite", async (t) => {
  const procRoot = await makeProc(t, modernHost);
  const { log, warnings } = makeListeningLog();
  const sampler = makeLinuxSampler({ procRoot, log, clock: hurriedClock, statFilesystem });
  await changeProc(procRoot, { stat: "cpu  120300 400 30000 800600 2600 700 900 60 5000 10\n" });
  const samples = await sampler.sample();

  t.deepEqual(
    [...new Set(samples.map(({ metric }) => metric))].sort(),
    sampler.metadata.map(({ metric }) => metric).sort(),
  );
  t.is(new Set(samples.map(seriesOf)).size, samples.length);
  t.true(samples.every(({ value }) => Number.isFinite(value) && value >= 0));
  t.deepEqual(warnings, []);

  t.is(valueIn(samples, "system.cpu.utilization"), 0.3);
  t.is(valueIn(samples, "system.cpu.time", { state: "user" }), 1203);
  t.is(valueIn(samples, "system.memory.utilization"), 7 / 16);
  t.is(valueIn(samples, "system.cpu.load_average.1m"), 1.25);
  t.is(valueIn(samples, "system.processes.count", { status: "running" }), 3);
  t.is(valueIn(samples, "system.uptime"), 86461.25);
  t.is(valueIn(samples, "system.paging.usage", { state: "used" }), 1_000_000 * 1024);
  t.is(
    valueIn(samples, "system.filesystem.usage", { mountpoint: "/mnt/My Files", state: "free" }),
    400 * 4096,
  );
  t.is(
    valueIn(samples, "system.filesystem.limit", {
      mountpoint: "/mnt/team",
      device: "files.example:/team",
      type: "nfs4",
    }),
    1000 * 4096,
  );
  t.is(valueIn(samples, "system.network.dropped", { device: "enp3s0", direction: "transmit" }), 4);
  t.is(valueIn(samples, "system.disk.io", { device: "nvme0n1", direction: "write" }), 81_920_000);
  t.is(valueIn(samples, "system.disk.io_time", { device: "nvme0n1" }), 1.5);
});

test("every metric is described once, in lower case with dots, with a unit", (t) => {
  const { metadata } = makeLinuxSampler({ log: silentLog });
  t.is(new Set(metadata.map(({ metric }) => metric)).size, metadata.length);
  for (const { metric, unit, description } of metadata) {
    t.regex(metric, /^system(\.[a-z0-9_]+)+$/);
    t.regex(unit, /^(1|By|s|\{[a-z]+\})$/);
    t.regex(description, /^[A-Z].*\.$/s);
  }
});

test("a container's root is reported although it is an overlay", async (t) => {
  const procRoot = await makeProc(t, { ...modernHost, "self/mountinfo": containerMounts });
  const sampler = makeLinuxSampler({
    procRoot,
    log: silentLog,
    clock: hurriedClock,
    statFilesystem,
  });
  const samples = await sampler.sample();
  t.is(valueIn(samples, "system.filesystem.utilization", { mountpoint: "/" }), 5 / 9);
});

test("a part that fails is left out and reported once, and again after it has worked", async (t) => {
  const procRoot = await makeProc(t, modernHost);
  const { log, warnings } = makeListeningLog();
  const sampler = makeLinuxSampler({ procRoot, log, clock: hurriedClock, statFilesystem });
  await rm(join(procRoot, "meminfo"));
  for (let round = 0; round < 3; round++) {
    const samples = await sampler.sample();
    t.is(valueIn(samples, "system.memory.limit"), undefined);
    t.is(valueIn(samples, "system.uptime"), 86461.25);
  }
  t.deepEqual(
    warnings.map(({ part }) => part),
    ["memory"],
  );
  await changeProc(procRoot, { meminfo: modernHost.meminfo });
  t.is(valueIn(await sampler.sample(), "system.memory.limit"), 16_000_000 * 1024);
  await changeProc(procRoot, { meminfo: "rubbish" });
  await sampler.sample();
  t.is(warnings.length, 2);
});

test("only a host that tells nothing at all is an error", async (t) => {
  const procRoot = await makeProc(t, {});
  const { log, warnings } = makeListeningLog();
  const sampler = makeLinuxSampler({ procRoot, log, clock: hurriedClock });
  await t.throwsAsync(sampler.sample(), { instanceOf: AggregateError });
  await t.throwsAsync(sampler.sample(), { instanceOf: AggregateError });
  t.is(warnings.length, 7);
  await changeProc(procRoot, { uptime: "5.00 1.00" });
  t.deepEqual(await sampler.sample(), [{ metric: "system.uptime", labels: {}, value: 5 }]);
});

test("a host with a thousand interfaces and disks is cut to 64 of each with one warning", async (t) => {
  const many = Array.from({ length: 1000 }, (_, index) => index);
  const procRoot = await makeProc(t, {
    ...modernHost,
    "net/dev": many.map((index) => `tap${index}: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n`).join(""),
    diskstats: many.map((index) => `8 0 rbd${index} 1 0 8 0 0 0 0 0 0 5 5\n`).join(""),
    "self/mountinfo": many
      .map((index) => `${index} 9999 8:${index} / /m/${index} rw - ext4 /dev/x${index} rw\n`)
      .join(""),
  });
  const { log, warnings } = makeListeningLog();
  const sampler = makeLinuxSampler({ procRoot, log, clock: hurriedClock, statFilesystem });
  await sampler.sample();
  const samples = await sampler.sample();
  const count = (metric: string) => samples.filter((sample) => sample.metric === metric).length;
  t.is(count("system.network.io"), 128);
  t.is(count("system.disk.io_time"), 64);
  t.is(count("system.filesystem.limit"), 64);
  t.deepEqual(warnings.map(({ part }) => part).sort(), [
    "number of disks",
    "number of file systems",
    "number of network interfaces",
  ]);
});

test("a mount that appears later is measured", async (t) => {
  const procRoot = await makeProc(t, modernHost);
  const sampler = makeLinuxSampler({
    procRoot,
    log: silentLog,
    clock: hurriedClock,
    statFilesystem,
  });
  await sampler.sample();
  const added = "80 29 8:33 / /mnt/usb rw - vfat /dev/sdc1 rw\n";
  await changeProc(procRoot, { "self/mountinfo": modernHost["self/mountinfo"] + added });
  const samples = await sampler.sample();
  t.is(valueIn(samples, "system.filesystem.limit", { mountpoint: "/mnt/usb" }), 4_096_000);
});

test("CPU time does not fall when the kernel takes a little of it back", async (t) => {
  const procRoot = await makeProc(t, modernHost);
  const sampler = makeLinuxSampler({
    procRoot,
    log: silentLog,
    clock: hurriedClock,
    statFilesystem,
  });
  await sampler.sample();
  await changeProc(procRoot, { stat: "cpu  120100 400 30000 800200 2498 700 900 60 5000 10\n" });
  const samples = await sampler.sample();
  t.is(valueIn(samples, "system.cpu.time", { state: "iowait" }), 25);
  t.is(valueIn(samples, "system.cpu.time", { state: "user" }), 1201);
});

if (process.platform === "linux")
  test("this host's figures are those that the system gives, and work shows in them", async (t) => {
    const { log, warnings } = makeListeningLog();
    const before = { load: loadavg()[0] ?? 0, uptime: uptime() };
    const sampler = makeLinuxSampler({ log });
    const first = await sampler.sample();
    const after = { load: loadavg()[0] ?? 0, uptime: uptime() };
    t.deepEqual(warnings, []);

    t.is(valueIn(first, "system.memory.limit"), totalmem());
    const load = valueIn(first, "system.cpu.load_average.1m") ?? -1;
    t.true(load >= Math.min(before.load, after.load) - 0.02);
    t.true(load <= Math.max(before.load, after.load) + 0.02);
    const up = valueIn(first, "system.uptime") ?? -1;
    t.true(up >= before.uptime - 1 && up <= after.uptime + 1);
    t.true((valueIn(first, "system.filesystem.limit", { mountpoint: "/" }) ?? 0) > 0);
    t.true(first.every(({ value }) => Number.isFinite(value) && value >= 0));

    const cpuSeconds = () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    };
    for (const start = cpuSeconds(); cpuSeconds() - start < 0.3; ) JSON.stringify(first);
    const second = await sampler.sample();
    for (const samples of [first, second]) {
      const utilization = valueIn(samples, "system.cpu.utilization") ?? -1;
      t.true(utilization >= 0 && utilization <= 1);
    }
    t.true((valueIn(second, "system.cpu.utilization") ?? 0) > 0);
    const busy = (samples: Sample[]) =>
      ["user", "nice", "system"]
        .map((state) => valueIn(samples, "system.cpu.time", { state }) ?? 0)
        .reduce((sum, value) => sum + value);
    t.true(busy(second) > busy(first));
  });
