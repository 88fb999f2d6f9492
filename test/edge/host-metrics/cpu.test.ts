import test from "ava";
import fc from "fast-check";
import {
  type CpuTimes,
  holdSmallFalls,
  parseCpuTimes,
  utilizationBetween,
} from "../../../edge/host-metrics/cpu.ts";
import { modernHost } from "./fixtures.ts";

test("CPU time is read in seconds by state, without counting guests twice", (t) => {
  t.deepEqual(parseCpuTimes(modernHost.stat), {
    user: 1200,
    nice: 4,
    system: 300,
    idle: 8000,
    iowait: 25,
    interrupt: 7,
    softirq: 9,
    steal: 0.6,
  });
});

test("an old kernel that knows four states gives four", (t) => {
  t.deepEqual(parseCpuTimes("cpu 100 0 50 850\ncpu0 100 0 50 850\n"), {
    user: 1,
    nice: 0,
    system: 0.5,
    idle: 8.5,
  });
});

test("a negative iowait in disguise is left out", (t) => {
  t.false("iowait" in parseCpuTimes("cpu 1 1 1 1 18446744073709551615 1 1 1\n"));
  t.false("iowait" in parseCpuTimes("cpu 1 1 1 1 -5 1 1 1\n"));
});

test("counters beyond 2^53 are read as the nearest number", (t) => {
  t.is(parseCpuTimes("cpu 9007199254740993 0 0 1\n").user, 9007199254740992 / 100);
});

for (const text of ["", "cpu0 1 2 3 4\n", "cpu 1 2 3\n", "cpu a b c d\n", "cpu  \n", "cpufreq 1"])
  test(`a /proc/stat of ${JSON.stringify(text)} is refused`, (t) => {
    t.throws(() => parseCpuTimes(text));
  });

test("utilization is the busy share, and waiting for I/O is not busy", (t) => {
  const before = { user: 10, system: 10, idle: 100, iowait: 10, steal: 0 };
  const after = { user: 12, system: 11, idle: 105, iowait: 11, steal: 1 };
  t.is(utilizationBetween(before, after), 0.4);
});

test("iowait that falls while idle grows does not disturb the utilization", (t) => {
  t.is(utilizationBetween({ user: 0, idle: 0, iowait: 5 }, { user: 5, idle: 9, iowait: 1 }), 0.5);
});

test("a fully busy host stays at 1 when iowait falls by a tick", (t) => {
  t.is(utilizationBetween({ user: 0, idle: 1, iowait: 1 }, { user: 5, idle: 1, iowait: 0.99 }), 1);
});

test("after a migration that takes idle time back there is no figure rather than a false alarm", (t) => {
  t.is(utilizationBetween({ user: 100, idle: 900 }, { user: 101, idle: 870 }), undefined);
});

test("counters that start again give no figure", (t) => {
  t.is(utilizationBetween({ user: 100, idle: 900 }, { user: 1, idle: 3 }), undefined);
});

test("no time between two readings gives no figure", (t) => {
  t.is(utilizationBetween({ user: 1, idle: 1 }, { user: 1, idle: 1 }), undefined);
});

test("a small fall of a counter is held back, a reset is passed on", (t) => {
  t.deepEqual(holdSmallFalls({ idle: 100, iowait: 10 }, { idle: 101, iowait: 9.99 }), {
    idle: 101,
    iowait: 10,
  });
  t.deepEqual(holdSmallFalls({ user: 5000 }, { user: 2 }), { user: 2 });
  t.deepEqual(holdSmallFalls({}, { user: 3 }), { user: 3 });
});

const seconds = fc.double({ min: 0, max: 1e15, noNaN: true });
const times: fc.Arbitrary<CpuTimes> = fc.record(
  {
    user: seconds,
    nice: seconds,
    system: seconds,
    idle: seconds,
    iowait: seconds,
    interrupt: seconds,
    softirq: seconds,
    steal: seconds,
  },
  { requiredKeys: ["user", "nice", "system", "idle"] },
);

test("utilization is between 0 and 1 whatever the counters do", (t) => {
  fc.assert(
    fc.property(times, times, (before, after) => {
      const value = utilizationBetween(before, after);
      return value === undefined || (value >= 0 && value <= 1);
    }),
  );
  t.pass();
});

test("reported CPU time falls only at a reset, and is a number whatever the counters do", (t) => {
  fc.assert(
    fc.property(times, times, (before, now) =>
      Object.entries(holdSmallFalls(before, now)).every(([state, value]) => {
        const last = before[state as keyof CpuTimes] ?? 0;
        return Number.isFinite(value) && value >= 0 && (value >= last || last - value > 60);
      }),
    ),
  );
  t.pass();
});

test("any text is either refused or read as finite times", (t) => {
  const line = fc.array(fc.oneof(fc.bigInt({ min: -5n, max: 2n ** 65n }), fc.string()), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(line, (fields) => {
      try {
        const read = parseCpuTimes(`cpu ${fields.join(" ")}\n`);
        return Object.values(read).every((value) => Number.isFinite(value) && value >= 0);
      } catch (error) {
        return error instanceof Error && error.message.includes("/proc/stat");
      }
    }),
  );
  t.pass();
});
