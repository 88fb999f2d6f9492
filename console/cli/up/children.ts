import { spawn } from "node:child_process";
import { openSync, readFileSync, renameSync, statSync } from "node:fs";
import readline from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { systemClock } from "../../../lib/clock.ts";
import { plain } from "../terminal.ts";

const LAUNCHER = fileURLToPath(new URL("../../../bin/lumetry.js", import.meta.url));
const MOST_LOG_BYTES = 20_000_000;
const PATIENCE_MS = 20_000;

/** A program of Lumetry's, running beside this one. */
export interface Child extends AsyncDisposable {
  /** What people call it. */
  readonly name: string;
  readonly logFile: string;
  /** The next line it prints on standard output; undefined once there are no more. */
  nextLine(): Promise<string | undefined>;
  /** Settles when it has ended, however that came. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Asks it to stop, waits for it, and forces it in the end. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts `lumetry <program> …`. It writes its log to a file, does not hear the terminal's Ctrl-C,
 * and stops by itself if this process is killed.
 */
export function startChild(options: {
  name: string;
  program: "server" | "collector" | "agent";
  flags: Record<string, string>;
  environment: Record<string, string | undefined>;
  logFile: string;
}): Child {
  const { name, program, logFile } = options;
  const flags = Object.entries(options.flags).flatMap(([flag, value]) => [`--${flag}`, value]);
  const child = spawn(process.execPath, [LAUNCHER, program, ...flags], {
    env: { ...options.environment, LUMETRY_STOP_WITH_STDIN: "1" },
    stdio: ["pipe", "pipe", openLog(logFile)],
    detached: true,
  });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on("error", () => resolve({ code: null, signal: null }));
    child.on("exit", (code, signal) => resolve({ code, signal }));
  });
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new Error("the child was started without pipes");
  stdin.on("error", () => {});
  const lines = readLines(stdout);
  return {
    name,
    logFile,
    ended,
    nextLine: lines,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      const patience = new AbortController();
      const late = systemClock.sleep(PATIENCE_MS, patience.signal).then(() => "late" as const);
      if ((await Promise.race([ended, late])) === "late") child.kill("SIGKILL");
      await ended;
      patience.abort();
    },
  };
}

/** Lines as they come; what nobody asks for waits. */
function readLines(stream: Readable): () => Promise<string | undefined> {
  const lines = readline.createInterface({ input: stream })[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await lines.next();
    return done ? undefined : value;
  };
}

/** Opens a log for appending; one that has grown large makes way first. */
function openLog(file: string): number {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MOST_LOG_BYTES) renameSync(file, `${file}.old`);
  return openSync(file, "a", 0o600);
}

/** The last lines of a log, each in the words of its message where it is structured. */
export function logTail(file: string, count: number): string[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return [];
  }
  return text.trimEnd().split("\n").slice(-count).map(readable);
}

function readable(line: string): string {
  try {
    const entry = JSON.parse(line) as { msg?: unknown; err?: { message?: unknown } };
    const cause = entry.err?.message === undefined ? "" : `: ${entry.err.message}`;
    if (typeof entry.msg === "string") return plain(entry.msg + cause);
  } catch {
    // Not structured: shown as it is.
  }
  return plain(stripVTControlCharacters(line));
}
