import { existsSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { systemClock } from "../../../lib/clock.ts";
import { readIfPresent } from "../../../lib/durable-file.ts";
import { CliError } from "../errors.ts";

const ASK_EVERY_MS = 250;
const LONGEST_WAIT_MS = 90_000;

/** Which collector or agent a data directory belongs to; undefined for one that never enrolled. */
export async function identityIn(directory: string): Promise<string | undefined> {
  const text = await readIfPresent(path.join(directory, "identity.json"));
  if (text === undefined) return undefined;
  try {
    const { edgeId } = JSON.parse(text);
    return typeof edgeId === "string" ? edgeId : undefined;
  } catch {
    throw new CliError(`${directory}/identity.json is damaged.`, {
      hint: "Restore it from a backup, or move that folder away: a new one is then enrolled.",
    });
  }
}

/** Nothing is deleted: its queue may hold points that somebody wants to look at. */
export function setAside(directory: string): void {
  if (!existsSync(directory)) return;
  for (let count = 1; ; count += 1) {
    const aside = `${directory}.old.${count}`;
    if (existsSync(aside)) continue;
    renameSync(directory, aside);
    return;
  }
}

/** Keeps a token until its user has an identity on disk, so that an enrollment can be taken up. */
export function keepToken(file: string, secret = ""): string {
  writeFileSync(file, secret, { mode: 0o600, flush: true });
  return secret;
}

/** No reason to stop: whatever it is that is slow may get there yet. */
export const late = (what: string, log = "collector.log") =>
  `${what} in ${LONGEST_WAIT_MS / 1000} seconds; ${log} should say why`;

/** Undefined when the time is up, or nobody waits any more. */
export async function waitFor<T>(
  signal: AbortSignal,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const until = systemClock.monotonic() + LONGEST_WAIT_MS;
  while (systemClock.monotonic() < until && !signal.aborted) {
    const found = await look();
    if (found !== undefined) return found;
    await systemClock.sleep(ASK_EVERY_MS, signal);
  }
  return undefined;
}
