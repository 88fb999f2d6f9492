import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { claimDirectory, DirectoryClaimed } from "../../../lib/claim.ts";
import { CliError } from "../errors.ts";

export const HOST = "127.0.0.1";
const FIRST_PORT = 8443;
const FIRST_RELAY_PORT = 4319;
const MOST_PORTS = 100;

/** Makes the folder for everything, for this user only; throws when others could write to it. */
export function prepareDirectory(directory: string): string {
  // PostgreSQL does not run as root: its user has to get through, and sees nothing on the way.
  mkdirSync(directory, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
  const { mode: permissions, uid } = statSync(directory);
  const foreign = process.getuid !== undefined && uid !== process.getuid();
  if (foreign || (process.platform !== "win32" && permissions & 0o022)) {
    throw new CliError(`${directory} can be written to by others, and is to hold secrets.`, {
      hint: `Take it away from them with "chmod go-w ${directory}", or name another with --directory.`,
    });
  }
  const ignore = path.join(directory, ".gitignore");
  if (!existsSync(ignore)) writeFileSync(ignore, "# Data and secrets of this machine.\n*\n");
  return directory;
}

/** Makes this process the only one that runs there; throws when another does. */
export function claim(directory: string): Disposable {
  try {
    return claimDirectory(directory);
  } catch (error) {
    if (!(error instanceof DirectoryClaimed)) throw error;
    throw new CliError(`Lumetry is running in ${directory} already, as process ${error.pid}.`, {
      hint: `Look at it with "lumetry collectors list", or stop it with "kill ${error.pid}".`,
    });
  }
}

/** The port that was asked for, the one of the last time, or the next that is free. */
export async function choosePort(
  wanted: number | undefined,
  last: number | undefined,
): Promise<number> {
  if (wanted !== undefined) {
    if (await isFree(wanted)) return wanted;
    throw new CliError(`Port ${wanted} of ${HOST} is in use.`, {
      hint: "Name another with --port, or leave it to Lumetry.",
    });
  }
  const first = last ?? FIRST_PORT;
  const port = await freePortFrom(first);
  if (port !== undefined) return port;
  throw new CliError(`No port from ${first} on is free.`, { hint: "Name one with --port." });
}

/** The port at which the collector relays: that of the last time, or the next that is free. */
export async function chooseRelayPort(last: number | undefined): Promise<number> {
  const first = last ?? FIRST_RELAY_PORT;
  return (await freePortFrom(first)) ?? first;
}

async function freePortFrom(first: number): Promise<number | undefined> {
  for (let port = first; port < first + MOST_PORTS && port < 65_536; port += 1) {
    if (await isFree(port)) return port;
  }
  return undefined;
}

/** Whether nothing listens on a port of this machine at the moment. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ port, host: HOST, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
