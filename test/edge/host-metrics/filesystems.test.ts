import { statfs } from "node:fs/promises";
import test from "ava";
import fc from "fast-check";
import { usageOf } from "../../../edge/host-metrics/filesystems.ts";

test("used, free and reserved space add up to the size", (t) => {
  t.deepEqual(usageOf({ bsize: 4096, frsize: 1024, blocks: 1000, bfree: 400, bavail: 300 }), {
    limit: 1000 * 1024,
    used: 600 * 1024,
    free: 300 * 1024,
    reserved: 100 * 1024,
    utilization: 600 / 900,
  });
});

test("a file system is full when nothing is left for anyone but root", (t) => {
  t.is(usageOf({ bsize: 512, blocks: 100, bfree: 5, bavail: 0 })?.utilization, 1);
  t.is(usageOf({ bsize: 512, blocks: 100, bfree: 100, bavail: 0 })?.utilization, 1);
});

test("a file system without blocks has no use", (t) => {
  t.is(usageOf({ bsize: 4096, blocks: 0, bfree: 0, bavail: 0 }), undefined);
  t.is(usageOf({ bsize: 0, blocks: 10, bfree: 0, bavail: 0 }), undefined);
});

test("the file system of this directory is measured as the system shows it", async (t) => {
  const usage = usageOf(await statfs("."));
  t.true(usage !== undefined && usage.limit > 0 && usage.utilization <= 1);
});

test("whatever a server answers, the figures are finite, not negative and add up", (t) => {
  const count = fc.oneof(fc.nat(), fc.maxSafeInteger(), fc.double(), fc.constant(2 ** 64));
  const space = fc.record({
    bsize: count,
    frsize: count,
    blocks: count,
    bfree: count,
    bavail: count,
  });
  fc.assert(
    fc.property(space, (answer) => {
      const usage = usageOf(answer);
      if (usage === undefined) return;
      for (const value of Object.values(usage)) t.true(Number.isFinite(value) && value >= 0);
      t.true(usage.utilization <= 1);
      const sum = usage.used + usage.free + usage.reserved;
      t.true(Math.abs(sum - usage.limit) <= usage.limit * 1e-12);
    }),
  );
});
