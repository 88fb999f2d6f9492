import { readFileSync } from "node:fs";
import path from "node:path";
import { writePrivately } from "../session-files.ts";

/** What `lumetry up` remembers of a folder from one run to the next. */
export interface UpState {
  port?: number;
  collectorId?: string;
  /** Where the collector listens for the agent. */
  relayPort?: number;
  /** The key that it shows there, in hex. */
  relayKey?: string;
  /** The profile by which the agent enrolls. */
  profileId?: string;
}

const fileIn = (directory: string) => path.join(directory, "up.json");

/** Empty when there is nothing that can be read: all of it can be found out again. */
export function readUpState(directory: string): UpState {
  try {
    const stored = JSON.parse(readFileSync(fileIn(directory), "utf8"));
    const { port, collectorId, relayPort, relayKey, profileId } = stored;
    return {
      ...(Number.isInteger(port) && { port }),
      ...(typeof collectorId === "string" && { collectorId }),
      ...(Number.isInteger(relayPort) && { relayPort }),
      ...(typeof relayKey === "string" && { relayKey }),
      ...(typeof profileId === "string" && { profileId }),
    };
  } catch {
    return {};
  }
}

export function writeUpState(directory: string, state: UpState): void {
  writePrivately(fileIn(directory), `${JSON.stringify(state, null, 2)}\n`);
}

/** Remembers something more. */
export function noteUpState(directory: string, change: UpState): void {
  writeUpState(directory, { ...readUpState(directory), ...change });
}
