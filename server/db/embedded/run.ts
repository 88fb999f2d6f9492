import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { program } from "./binaries.ts";
import { codeOf, EmbeddedDatabaseError, messageOf, ownDatabaseHint } from "./error.ts";
import type { Place } from "./place.ts";

export type Run = ChildProcessByStdio<null, null, Readable>;

/**
 * Starts one of PostgreSQL's programs as the place's user. It has a process group of its own, so that
 * Ctrl-C in a terminal reaches this process alone, which then stops things in their order; and none
 * of this process's environment, in which PGDATA and its like would be obeyed.
 */
export async function run(
  place: Place,
  name: "initdb" | "postgres",
  args: string[],
  onOutput: (chunk: string) => void,
): Promise<Run> {
  const { user } = place;
  const file = program(place.binaries, name);
  const child = spawn(file, args, {
    ...(user && { uid: user.uid, gid: user.gid }),
    cwd: "/",
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  child.stderr.setEncoding("utf8").on("data", onOutput);
  // A process that ends without stopping it must not leave it running; SIGINT is a fast shutdown.
  const interrupt = () => child.kill("SIGINT");
  process.on("exit", interrupt);
  child.once("exit", () => process.off("exit", interrupt));
  try {
    await once(child, "spawn");
  } catch (error) {
    process.off("exit", interrupt);
    const who = user ? ` as the user ${user.name}` : "";
    const why =
      codeOf(error) === "ENOENT"
        ? "this system lacks the glibc it was built for"
        : messageOf(error);
    throw new EmbeddedDatabaseError(
      `${file} could not be run${who}: ${why}. Repair that, ${ownDatabaseHint}.`,
    );
  }
  return child;
}

/** Settles with words for how the process ended, once its output was read. */
export function ended(child: Run): Promise<string> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      const words = signal ? `was ended by ${signal}` : `exited with status ${code}`;
      const enough = setTimeout(resolve, 1_000, words); // its own children may hold the output open
      child.once("close", () => {
        clearTimeout(enough);
        resolve(words);
      });
    });
  });
}
