import { capDevices } from "./cap.ts";
import type { Failures } from "./failures.ts";
import { parseCount, readProc } from "./proc.ts";
import type { Metadata, Sample } from "./sampler.ts";

export const networkMetadata: readonly Metadata[] = [
  {
    metric: "system.network.io",
    kind: "counter",
    unit: "By",
    description: "Bytes by interface and direction.",
  },
  {
    metric: "system.network.packets",
    kind: "counter",
    unit: "{packet}",
    description: "Packets by interface and direction.",
  },
  {
    metric: "system.network.errors",
    kind: "counter",
    unit: "{error}",
    description: "Errors by interface and direction.",
  },
  {
    metric: "system.network.dropped",
    kind: "counter",
    unit: "{packet}",
    description: "Packets dropped, by interface and direction.",
  },
];

/** Running totals of one direction. */
export interface Traffic {
  io: number;
  packets: number;
  errors: number;
  dropped: number;
}

export interface NetworkDevice {
  device: string;
  receive: Traffic;
  transmit: Traffic;
}

/**
 * Left out: the loopback, and the host's ends of container links, whose names are random (each restart
 * of a container would make new series) and whose traffic passes a bridge or a card as well.
 */
const leftOut = /^(lo|veth.*|cali[0-9a-f]{8,}|lxc[0-9a-f]{8,})$/;

/** Reads /proc/net/dev, interfaces that are left out included; a line that cannot be read is skipped. */
export function parseNetworkDevices(dev: string): NetworkDevice[] {
  const devices: NetworkDevice[] = [];
  for (const line of dev.split("\n")) {
    // Old kernels glue the first number to the colon.
    const colon = line.lastIndexOf(":");
    const device = line.slice(0, Math.max(0, colon)).trim();
    const columns = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    const receive = parseTraffic(columns.slice(0, 4));
    const transmit = parseTraffic(columns.slice(8, 12));
    if (device !== "" && receive !== undefined && transmit !== undefined)
      devices.push({ device, receive, transmit });
  }
  return devices;
}

function parseTraffic(columns: string[]): Traffic | undefined {
  const [io, packets, errors, dropped] = columns.map(parseCount);
  if (io === undefined || packets === undefined) return undefined;
  if (errors === undefined || dropped === undefined) return undefined;
  return { io, packets, errors, dropped };
}

/** Only interfaces that have carried a packet, without those that are left out. */
export function usedNetworkDevices(devices: NetworkDevice[]): NetworkDevice[] {
  return devices.filter(
    ({ device, receive, transmit }) =>
      !leftOut.test(device) && receive.packets + transmit.packets > 0,
  );
}

/** The interfaces of this process's network namespace: in a container, those of the container. */
export function readNetwork(procRoot: string, failures: Failures): Sample[] {
  const devices = usedNetworkDevices(parseNetworkDevices(readProc(procRoot, "net/dev")));
  const samples: Sample[] = [];
  for (const { device, ...traffic } of capDevices("network interfaces", devices, failures)) {
    for (const direction of ["receive", "transmit"] as const) {
      for (const what of ["io", "packets", "errors", "dropped"] as const)
        samples.push({
          metric: `system.network.${what}`,
          labels: { device, direction },
          value: traffic[direction][what],
        });
    }
  }
  return samples;
}
