import test from "ava";
import { parseLoad } from "../../../edge/host-metrics/load.ts";
import { parseUptime } from "../../../edge/host-metrics/uptime.ts";
import { modernHost } from "./fixtures.ts";

test("the load of the last minute and what runs now are read", (t) => {
  t.deepEqual(parseLoad(modernHost.loadavg), { oneMinute: 1.25, running: 3 });
});

test("a load without the counts of threads is read", (t) => {
  t.deepEqual(parseLoad("0.00"), { oneMinute: 0 });
  t.deepEqual(parseLoad("1000.10 1 1 -/5 1"), { oneMinute: 1000.1 });
});

for (const text of ["", "\n", "-1.00 0 0", "nan 0 0", "Infinity", "1e309 0 0", "0x10"]) {
  test(`a load of ${JSON.stringify(text)} is refused`, (t) => {
    t.throws(() => parseLoad(text), { message: /loadavg/ });
  });
  test(`an uptime of ${JSON.stringify(text)} is refused`, (t) => {
    t.throws(() => parseUptime(text), { message: /uptime/ });
  });
}

test("the uptime is read in seconds", (t) => {
  t.is(parseUptime(modernHost.uptime), 86461.25);
  t.is(parseUptime("0.00 0.00"), 0);
});
