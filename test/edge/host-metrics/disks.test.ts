import test from "ava";
import fc from "fast-check";
import { parseDisks, wholeDisks } from "../../../edge/host-metrics/disks.ts";
import { modernHost } from "./fixtures.ts";

const line = (name: string, reads = 1) => `8 0 ${name} ${reads} 0 8 0 0 0 0 0 0 5 5`;
const wholeOf = (...names: string[]) =>
  wholeDisks(parseDisks(names.map((name) => line(name)).join("\n"))).map(({ device }) => device);

test("bytes, operations and busy time of a disk are read", (t) => {
  t.deepEqual(parseDisks(modernHost.diskstats)[0], {
    device: "nvme0n1",
    io: { read: 80000 * 512, write: 160000 * 512 },
    operations: { read: 1000, write: 2000 },
    ioTime: 1.5,
  });
});

test("each byte is counted once: no partitions, no stacked, removable, memory or unused devices", (t) => {
  const disks = wholeDisks(parseDisks(modernHost.diskstats));
  t.deepEqual(
    disks.map(({ device }) => device),
    ["nvme0n1"],
  );
});

test("partitions are told from disks whose names end in digits", (t) => {
  t.deepEqual(wholeOf("sda", "sda1", "sda12", "sdaa", "sdaa1"), ["sda", "sdaa"]);
  t.deepEqual(wholeOf("mmcblk0", "mmcblk0p1", "mmcblk0boot0"), ["mmcblk0", "mmcblk0boot0"]);
  t.deepEqual(wholeOf("nvme0n1", "nvme0n1p1", "nvme0c0n1"), ["nvme0n1"]);
  t.deepEqual(wholeOf("cciss!c0d0", "cciss!c0d0p1", "rbd0", "rbd0p1"), ["cciss!c0d0", "rbd0"]);
  t.deepEqual(wholeOf("sda", "dm-0", "md127", "md127p1", "bcache0", "zd16"), ["sda"]);
});

test("a partition that is all a virtual machine has of its disk is reported", (t) => {
  t.deepEqual(wholeOf("xvda1", "xvda2"), ["xvda1", "xvda2"]);
});

test("short lines of old kernels and rubbish are skipped", (t) => {
  t.deepEqual(parseDisks("8 1 sda1 10 20 30 40\n\n8 0\n8 0 sda a b c d e f g h i j k\n"), []);
});

test("any text gives finite counters or nothing", (t) => {
  const field = fc.oneof(
    { weight: 9, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(field, { maxLength: 20 }), (fields) =>
      parseDisks(`8 0 sda ${fields.join(" ")}`).every(({ io, operations, ioTime }) =>
        [...Object.values(io), ...Object.values(operations), ioTime].every(
          (value) => Number.isFinite(value) && value >= 0,
        ),
      ),
    ),
  );
  t.pass();
});
