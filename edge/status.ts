import { rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { readIfPresent } from "../lib/durable-file.ts";
import type { QueueHealth } from "./queue/queue.ts";
import type { RelayStatus } from "./relaying.ts";
import type { RouteState } from "./routes.ts";

/** How this installation is doing, kept beside its queue for whoever looks on the machine itself. */
export interface Status {
  state: "enrolling" | "connecting" | "connected" | "offline" | "refused" | "stopped";
  /** Why, when there is something to say. */
  problem: string | undefined;
  pid: number;
  version: string;
  /** Empty until enrolled. */
  edgeId: string;
  /** What the server said about the place that an agent asked for. */
  placement: string | undefined;
  routes: (Omit<RouteState, "since"> & { since: string | undefined })[];
  writtenAt: string;
  startedAt: string;
  lastHeartbeatAt: string | undefined;
  lastUploadAt: string | undefined;
  clockOffsetMs: number | undefined;
  configRevision: string;
  warnings: string[];
  /** Of one that relays for others. */
  relay: RelayStatus | undefined;
  queue: Omit<QueueHealth, "drops"> & { drops: number };
  /** How work for the server goes, by those who do it. */
  work?: object | undefined;
}

const fileIn = (directory: string) => path.join(directory, "status.json");

/** Replaces what was there as a whole; not forced to the disk, since it is of this moment only. */
export async function writeStatus(directory: string, status: Status): Promise<void> {
  const file = fileIn(directory);
  await writeFile(`${file}.new`, `${JSON.stringify(status, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** What was last written; undefined if nothing ever was. */
export async function readStatus(directory: string): Promise<Status | undefined> {
  const text = await readIfPresent(fileIn(directory));
  return text === undefined ? undefined : JSON.parse(text);
}
