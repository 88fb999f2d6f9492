import { readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Service } from "./service.ts";

const PATIENCE_MS = 40_000;

/** The parts of status.json that setup looks at. The service writes that file, so none is taken for granted. */
export interface AgentStatus {
  state: string;
  problem: string;
  version: string;
  edgeId: string;
  placement: string;
  startedAt: string;
}

const text = (value: unknown) =>
  typeof value === "string" ? value.slice(0, 500).replace(/\p{Cc}/gu, " ") : "";

export async function readAgentStatus(dataDir: string): Promise<AgentStatus | undefined> {
  try {
    const found = JSON.parse(await readFile(path.join(dataDir, "status.json"), "utf8"));
    return {
      state: text(found?.state),
      problem: text(found?.problem),
      version: text(found?.version),
      edgeId: text(found?.edgeId),
      placement: text(found?.placement),
      startedAt: text(found?.startedAt),
    };
  } catch {
    return undefined; // not written yet
  }
}

/** The service has an identity that Lumetry has answered to: the token is of no use any more. */
export async function isConfirmed(dataDir: string): Promise<boolean> {
  try {
    const found = JSON.parse(await readFile(path.join(dataDir, "identity.json"), "utf8"));
    return typeof found?.credential === "string" && found.enrollmentNonce === undefined;
  } catch {
    return false;
  }
}

/** What the agent said last, for people. */
export async function lastWords(log: string, lines = 15): Promise<string> {
  const found = await readFile(log, "utf8").catch(() => "");
  const words = found.trimEnd().split("\n").slice(-lines).join("\n");
  // Somebody else wrote this; a terminal is not to be steered by it.
  return words.replace(/(?![\t\n])\p{Cc}/gu, "");
}

/** A start of the agent: what its status has to tell to be about that one. */
export interface Start {
  version: string;
  /** When it was told to start, in milliseconds. */
  since: number;
}

type Shows = Pick<Service, "show">;

/** It has ended in a way that starting it again does not help: its host program says so by ending well. */
export async function hasEnded(service: Shows): Promise<boolean> {
  const shown = await service.show();
  return shown?.state === "stopped" && shown.win32ExitCode === 0;
}

const isOf = ({ version, since }: Start, status: AgentStatus | undefined) =>
  status?.version === version && Date.parse(status.startedAt) >= since;

/** This start has ended for good because Lumetry will not have the host, and not because of its settings or files. */
export async function isRefused(service: Shows, dataDir: string, start: Start): Promise<boolean> {
  if (!(await hasEnded(service))) return false;
  const status = await readAgentStatus(dataDir);
  return isOf(start, status) && status?.state === "refused";
}

/**
 * Waits until the agent is well: its service runs, and a process of this version that began after `since` has
 * written its status, twice in a row. Whether Lumetry can be reached is another matter: nothing is rolled back because a
 * network is away. One that Lumetry refused is as well as it can be; one that ended for good otherwise is not.
 */
export async function becomesWell(service: Shows, dataDir: string, start: Start): Promise<boolean> {
  const until = performance.now() + PATIENCE_MS;
  for (let well = 0; performance.now() < until; await wait(1_000)) {
    if (await hasEnded(service)) return isRefused(service, dataDir, start);
    const [shown, status] = [await service.show(), await readAgentStatus(dataDir)];
    const isWell = shown?.state === "running" && isOf(start, status);
    well = isWell ? well + 1 : 0;
    if (well === 2) return true;
  }
  return false;
}
