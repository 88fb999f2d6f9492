import type { Sample } from "../sampler.ts";
import { type CimRow, countIn, nameIn } from "./rows.ts";

/** The columns of Win32_PerfRawData_Tcpip_NetworkInterface; as raw data, "per second" is a running total. */
const COLUMNS = [
  ["io", "receive", "BytesReceivedPersec"],
  ["io", "transmit", "BytesSentPersec"],
  ["packets", "receive", "PacketsReceivedPersec"],
  ["packets", "transmit", "PacketsSentPersec"],
  ["errors", "receive", "PacketsReceivedErrors"],
  ["errors", "transmit", "PacketsOutboundErrors"],
  ["dropped", "receive", "PacketsReceivedDiscarded"],
  ["dropped", "transmit", "PacketsOutboundDiscarded"],
] as const;

/** Tunnels that carry what passes a card as well. */
const LEFT_OUT = /^(isatap|teredo|6to4)/i;

/** Interfaces that have carried a packet; a column that is missing costs that column. */
export function networkSamples(rows: CimRow[]): Sample[] {
  return rows.flatMap((row) => {
    const device = nameIn(row);
    if (device === undefined || LEFT_OUT.test(device)) return [];
    const packets = ["PacketsReceivedPersec", "PacketsSentPersec"].map((key) => countIn(row, key));
    if (packets.every((count) => count === 0)) return [];
    return COLUMNS.flatMap(([what, direction, column]): Sample[] => {
      const value = countIn(row, column);
      const labels = { device, direction };
      return value === undefined ? [] : [{ metric: `system.network.${what}`, labels, value }];
    });
  });
}
