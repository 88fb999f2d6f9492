import type { Failures } from "./failures.ts";

/** How many devices of one kind are sampled; each costs several series. */
export const mostDevices = 64;

/** The first 64 of the devices; warns while there are more. `kind` is a plural, such as "disks". */
export function capDevices<Device>(kind: string, devices: Device[], failures: Failures): Device[] {
  const part = `number of ${kind}`;
  if (devices.length <= mostDevices) {
    failures.worked(part);
    return devices;
  }
  failures.failed(part, `${devices.length} ${kind} found, only ${mostDevices} are sampled`);
  return devices.slice(0, mostDevices);
}
