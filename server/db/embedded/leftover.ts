import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import type { Clock } from "../../../lib/clock.ts";
import type { Log } from "../../../lib/log.ts";
import { processIdentity } from "../../../lib/process.ts";
import { codeOf, EmbeddedDatabaseError, messageOf } from "./error.ts";
import type { Place } from "./place.ts";

/** The process that the data directory's lock file names, if the file is there and makes sense. */
function lockedBy(place: Place): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path.join(place.data, "postmaster.pid"), "utf8"), 10);
    return pid > 1 ? pid : undefined;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Whether the process is a PostgreSQL that serves this very data directory, not a reused id. */
function serves(pid: number, place: Place): boolean {
  try {
    const command =
      process.platform === "linux"
        ? readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")
        : execFileSync("ps", ["-ww", "-o", "command=", "-p", `${pid}`], { encoding: "utf8" });
    return command.includes(`/postgres -D ${place.data} `);
  } catch {
    return false;
  }
}

/**
 * Stops the PostgreSQL that a killed server left running on the data, and removes a lock file that
 * would keep a new one from starting. Call it only while holding the claim on the directory.
 * Tells whether there was anything to clear.
 */
export async function clearTheWay(place: Place, log: Log, clock: Clock): Promise<boolean> {
  const pid = lockedBy(place);
  const identity = pid === undefined ? undefined : processIdentity(pid);
  if (pid === undefined || identity === undefined) return false; // PostgreSQL sees to that itself
  if (serves(pid, place)) {
    log.warn({ pid }, "the PostgreSQL of a server that was killed still runs; it is stopped");
    await stopLeftover(pid, identity, clock);
  } else {
    // PostgreSQL takes any live process with that id for another PostgreSQL.
    rmSync(path.join(place.data, "postmaster.pid"), { force: true });
  }
  return true;
}

async function stopLeftover(pid: number, identity: string, clock: Clock): Promise<void> {
  const isGone = () => processIdentity(pid) !== identity;
  // Fast shutdown, immediate shutdown (recovers at the next start), and what nothing resists.
  for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (codeOf(error) === "ESRCH") return;
      throw new EmbeddedDatabaseError(
        `PostgreSQL process ${pid}, left by a server that was killed, could not be stopped: ${messageOf(error)}. Stop it, then start again.`,
      );
    }
    const deadline = clock.monotonic() + 10_000;
    while (clock.monotonic() < deadline) {
      if (isGone()) return;
      await clock.sleep(20);
    }
  }
  throw new EmbeddedDatabaseError(
    `PostgreSQL process ${pid}, left by a server that was killed, does not stop. Stop it, then start again.`,
  );
}
