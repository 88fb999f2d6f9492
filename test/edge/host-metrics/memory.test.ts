import test from "ava";
import fc from "fast-check";
import { parseMemory } from "../../../edge/host-metrics/memory.ts";
import { modernHost } from "./fixtures.ts";

const kB = 1024;

test("memory by state adds up to the memory of the host", (t) => {
  const memory = parseMemory(modernHost.meminfo);
  t.deepEqual(memory, {
    limit: 16_000_000 * kB,
    free: 2_000_000 * kB,
    buffers: 500_000 * kB,
    cached: 7_000_000 * kB,
    used: 6_500_000 * kB,
    available: 9_000_000 * kB,
    swap: { used: 1_000_000 * kB, free: 3_000_000 * kB },
  });
});

test("a kernel that does not say what is available gets an estimate without shared memory", (t) => {
  const old = modernHost.meminfo.replace(/^MemAvailable.*\n/m, "");
  t.is(parseMemory(old).available, (2_000_000 + 500_000 + 6_000_000 + 1_000_000 - 300_000) * kB);
});

test("a container whose shared memory exceeds its caches still has its free memory available", (t) => {
  const text = "MemTotal: 1000 kB\nMemFree: 400 kB\nCached: 100 kB\nShmem: 300 kB\n";
  t.is(parseMemory(text).available, 400 * kB);
});

test("no more is available, free or cached than there is", (t) => {
  const text = "MemTotal: 100 kB\nMemFree: 90 kB\nMemAvailable: 500 kB\nCached: 80 kB\n";
  const { used, free, cached, available } = parseMemory(text);
  t.deepEqual([used, free, cached, available], [0, 90 * kB, 10 * kB, 100 * kB]);
});

test("a kernel without swap has no swap figures, a host without swap has zeros", (t) => {
  t.is(parseMemory("MemTotal: 100 kB\nMemFree: 90 kB\n").swap, undefined);
  const none = parseMemory("MemTotal: 9 kB\nMemFree: 9 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n");
  t.deepEqual(none.swap, { used: 0, free: 0 });
});

for (const text of ["", "MemTotal: 0 kB\nMemFree: 0 kB", "MemFree: 5 kB", "MemTotal: x kB"])
  test(`a /proc/meminfo of ${JSON.stringify(text)} is refused`, (t) => {
    t.throws(() => parseMemory(text), { message: /meminfo/ });
  });

test("whatever the kernel says, no figure is negative and the states add up", (t) => {
  const amount = fc.oneof(fc.nat(), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
  const names = ["MemFree", "MemAvailable", "Buffers", "Cached", "SReclaimable", "Shmem"];
  const fields = fc.tuple(
    fc.integer({ min: 1 }),
    fc.tuple(...names.map(() => amount)),
    fc.nat(),
    fc.nat(),
  );
  fc.assert(
    fc.property(fields, ([total, amounts, swapTotal, swapFree]) => {
      const lines = names.map((name, index) => `${name}: ${amounts[index]} kB`);
      const text = `MemTotal: ${total} kB\n${lines.join("\n")}\nSwapTotal: ${swapTotal} kB\nSwapFree: ${swapFree} kB`;
      const { limit, used, free, cached, buffers, available, swap } = parseMemory(text);
      t.is(used + free + cached + buffers, limit);
      for (const part of [used, free, cached, buffers, available])
        t.true(part >= 0 && part <= limit);
      t.is((swap?.used ?? -1) + (swap?.free ?? -1), swapTotal * kB);
    }),
  );
});
