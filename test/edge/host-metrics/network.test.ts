import test from "ava";
import fc from "fast-check";
import { parseNetworkDevices, usedNetworkDevices } from "../../../edge/host-metrics/network.ts";
import { modernHost } from "./fixtures.ts";

test("both directions of every interface are read", (t) => {
  const devices = parseNetworkDevices(modernHost["net/dev"]);
  t.deepEqual(
    devices.map(({ device }) => device),
    ["lo", "enp3s0", "docker0", "veth1a2b3c4", "wlan0"],
  );
  t.deepEqual(devices[1], {
    device: "enp3s0",
    receive: { io: 123456789012, packets: 90000000, errors: 1, dropped: 2 },
    transmit: { io: 210987654321, packets: 80000000, errors: 3, dropped: 4 },
  });
});

test("the loopback, container links and interfaces never used are not reported", (t) => {
  const devices = usedNetworkDevices(parseNetworkDevices(modernHost["net/dev"]));
  t.deepEqual(
    devices.map(({ device }) => device),
    ["enp3s0", "docker0"],
  );
});

test("a first number glued to the colon is read, as is an interface that names its address", (t) => {
  const text = "eth0:99 1 0 0 0 0 0 0 88 1 0 0 0 0 0 0\neth0:1: 7 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0\n";
  t.deepEqual(
    parseNetworkDevices(text).map(({ device, receive }) => [device, receive.io]),
    [
      ["eth0", 99],
      ["eth0:1", 7],
    ],
  );
});

test("a line that makes no sense is skipped and the others are read", (t) => {
  const text = `${modernHost["net/dev"]}bad0: -1 1 0 0 0 0 0 0 1 1 0 0\nshort0: 1 2 3\nrubbish\n:\n`;
  t.is(parseNetworkDevices(text).length, 5);
});

test("64-bit counters stay finite", (t) => {
  const most = "18446744073709551615";
  const [device] = parseNetworkDevices(`e: ${Array(16).fill(most).join(" ")}\n`);
  t.is(device?.receive.io, 2 ** 64);
});

test("any text gives finite counters or nothing", (t) => {
  const field = fc.oneof(
    { weight: 9, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(field, { maxLength: 18 }), fc.string(), (fields, name) =>
      parseNetworkDevices(`${name}: ${fields.join(" ")}`).every(({ receive, transmit }) =>
        [receive, transmit]
          .flatMap((traffic) => Object.values(traffic))
          .every((value) => Number.isFinite(value) && value >= 0),
      ),
    ),
  );
  t.pass();
});
