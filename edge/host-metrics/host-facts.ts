import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { arch, hostname, release } from "node:os";
import { promisify } from "node:util";

export type OperatingSystem = "linux" | "windows" | "darwin";

/** What a machine says about itself when it enrolls. */
export interface HostFacts {
  hostname: string;
  /** In Node's words: "x64", "arm64". */
  architecture: string;
  kernelVersion: string;
  operatingSystem: OperatingSystem;
  /** 64 hexadecimal digits that stay the same for an installation of the operating system. */
  machineFingerprint: string;
}

/** Where systemd and D-Bus keep the random number that names an installation. */
const machineIdFiles = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/** Readable by everyone, the same after every start, also inside containers. */
const vendorFile = "/sys/class/dmi/id/sys_vendor";

const SYSTEMS: Partial<Record<NodeJS.Platform, OperatingSystem>> = {
  win32: "windows",
  darwin: "darwin",
};

/**
 * The facts of this host; never throws. The machine id is only hashed and never leaves the host. Without one, as in
 * most containers, the fingerprint is made of host name, architecture and hardware vendor: it then lasts as long as
 * the host name does, and hosts that share all three share it.
 */
export async function readHostFacts(
  files = { machineIds: machineIdFiles, vendor: vendorFile },
  platform = process.platform,
): Promise<HostFacts> {
  const machineId =
    platform === "win32"
      ? await readMachineGuid()
      : files.machineIds.map(readMachineId).find((id) => id !== undefined);
  const identity =
    machineId ?? ["host", hostname(), arch(), readText(files.vendor) ?? ""].join("\n");
  return {
    hostname: hostname(),
    architecture: arch(),
    kernelVersion: release(),
    operatingSystem: SYSTEMS[platform] ?? "linux",
    machineFingerprint: createHash("sha256").update(`lumetry${identity}`).digest("hex"),
  };
}

const MACHINE_GUID = ["HKLM\\SOFTWARE\\Microsoft\\Cryptography", "/v", "MachineGuid"];

async function readMachineGuid(): Promise<string | undefined> {
  try {
    const options = { timeout: 10_000, maxBuffer: 65_536, windowsHide: true };
    const { stdout } = await promisify(execFile)("reg.exe", ["query", ...MACHINE_GUID], options);
    return parseMachineGuid(stdout);
  } catch {
    return undefined;
  }
}

/** The random number that names an installation of Windows, in the answer of reg.exe. */
export function parseMachineGuid(answer: string): string | undefined {
  const guid = /^\s+MachineGuid\s+REG_SZ\s+([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\s*$/im;
  return guid.exec(answer)?.[1]?.toLowerCase();
}

/** Undefined also for the "uninitialized" and the empty file of an image that has never been started. */
function readMachineId(file: string): string | undefined {
  const id = readText(file)?.toLowerCase();
  return id !== undefined && /^[0-9a-f]{32}$/.test(id) && !/^0+$/.test(id) ? id : undefined;
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}
