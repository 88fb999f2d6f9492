#!/usr/bin/env node
// Runs on Node 20 and later: finds a Node that can run Lumetry, and then the program asked for.
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import module, { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";

const LEAST_NODE = 24;
const root = path.dirname(path.dirname(realpathSync(fileURLToPath(import.meta.url))));

/** These are programs of their own; the rest is the command line. */
const PROGRAMS = {
  server: "server/main.ts",
  collector: "collector/main.ts",
  agent: "agent/main.ts",
  doctor: "agent/main.ts",
};
/**
 * For programs that run on: Node's flags, and what native memory is told. Agents and collectors share a
 * host with others, and take little: few arenas, and pages of their own for pieces of so many bytes, so
 * that a collector holds of the 16 KiB that each TLS connection reads into only what was ever used. A
 * server that has room for what its calls leave behind tidies up less often.
 */
const BEGINNINGS = {
  agent: {
    flags: ["--max-semi-space-size=1", "--optimize-for-size"],
    memory: { MALLOC_ARENA_MAX: "1" },
  },
  collector: {
    flags: ["--max-semi-space-size=1", "--optimize-for-size"],
    memory: { MALLOC_ARENA_MAX: "2", MALLOC_MMAP_THRESHOLD_: "16384" },
  },
  server: { flags: ["--max-semi-space-size=16"] },
};
/** What is asked of such a program besides running. */
const QUESTIONS = ["status", "doctor", "configure", "self-test"];

const major = Number(process.versions.node.split(".")[0]);
if (major >= LEAST_NODE) await run();
else runAgain(bundledNode());

async function run() {
  const [name, ...rest] = process.argv.slice(2);
  if (Object.hasOwn(BEGINNINGS, name ?? "") && !QUESTIONS.includes(rest[0])) {
    beginAnew(BEGINNINGS[name]);
  }
  stopWithParent();
  const program = name !== undefined && Object.hasOwn(PROGRAMS, name) ? PROGRAMS[name] : undefined;
  if (name !== "server") rememberCompiled();
  // Looking up a name takes a thread for as long as name servers are silent, and half of them at most.
  if (name === "collector") process.env.UV_THREADPOOL_SIZE ??= "24";
  if (name === "server" && !rest.includes("--help")) await buildConsole();
  const entry = path.join(root, program ?? "console/cli/main.ts");
  process.argv = [
    process.execPath,
    entry,
    ...(program && name !== "doctor" ? rest : process.argv.slice(2)),
  ];
  if (root.split(path.sep).includes("node_modules")) await import("./typescript.js");
  await import(pathToFileURL(entry).href);
}

/** In a clone, builds the pages that the server serves, if its sources changed. A package brings them. */
async function buildConsole() {
  const build = path.join(root, "console/web/build.ts");
  if (!existsSync(path.join(root, "console/web/src"))) return;
  try {
    await (await import(pathToFileURL(build).href)).buildIfStale();
  } catch (error) {
    process.stderr.write(
      `lumetry: the console for browsers could not be built, and the server starts without a new one: ${error.message}\n`,
    );
  }
}

/**
 * Commands start in half the time when Node keeps what it has compiled, where only this user can write.
 * Programs that run on do without the compiler in memory from their second start on.
 */
function rememberCompiled() {
  const { XDG_CACHE_HOME, HOME } = process.env;
  const base = XDG_CACHE_HOME || (HOME && path.join(HOME, ".cache"));
  if (!base || !path.isAbsolute(base)) return;
  module.enableCompileCache(path.join(base, "lumetry", "node"));
  // Otherwise it is written at the end only, which may be a kill.
  setTimeout(() => module.flushCompileCache(), 10_000).unref();
}

/**
 * Begins this process anew with a heap for young objects, and arenas for native memory, of the right
 * size: an agent needs a third less with little of both, a collector that relays for a thousand agents
 * a quarter. Node takes neither while it runs. Windows cannot replace a process; its service gives the
 * flags itself.
 */
function beginAnew({ flags, memory }) {
  if (process.platform === "win32" || typeof process.execve !== "function") return;
  const isOfHeap = (flag) => flag.startsWith("--max-semi-space-size");
  if (process.execArgv.some(isOfHeap)) return;
  process.execve(
    process.execPath,
    [process.execPath, ...process.execArgv, ...flags, ...process.argv.slice(1)],
    { ...process.env, ...memory },
  );
}

/** For children of `lumetry up`: nothing they start outlives it, even if it is killed. */
function stopWithParent() {
  if (process.env.LUMETRY_STOP_WITH_STDIN !== "1") return;
  delete process.env.LUMETRY_STOP_WITH_STDIN;
  process.stdin.on("close", () => process.kill(process.pid, "SIGTERM"));
  process.stdin.on("error", () => {});
  process.stdin.resume();
  process.stdin.unref?.();
}

/** The Node that npm installed beside or above this package; ends the process when there is none. */
function bundledNode() {
  const wanted = `node-${{ win32: "win" }[process.platform] ?? process.platform}-${process.arch}`;
  const file = path.join("bin", process.platform === "win32" ? "node.exe" : "node");
  const folders = createRequire(path.join(root, "package.json")).resolve.paths(wanted) ?? [];
  for (const folder of folders) {
    const candidate = path.join(folder, wanted, file);
    if (existsSync(candidate)) return candidate;
  }
  process.stderr.write(
    `lumetry: this is Node ${process.versions.node}, and Lumetry needs Node ${LEAST_NODE} or later.\n` +
      `It brings its own for Linux and Windows as an optional dependency, but ${wanted} is not installed here.\n` +
      `Run "npm install" without --omit=optional, or install Node ${LEAST_NODE} from https://nodejs.org.\n`,
  );
  process.exit(1);
}

/** Runs this file with another Node, passing signals on and ending as it ends. */
function runAgain(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"].filter(
    (signal) => signal in os.constants.signals && process.platform !== "win32",
  );
  const pass = (signal) => child.kill(signal);
  for (const signal of signals) process.on(signal, pass);
  child.on("error", (error) => {
    process.stderr.write(`lumetry: ${node} cannot be run: ${error.message}\n`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    for (const each of signals) process.off(each, pass);
    if (signal) process.kill(process.pid, signal);
    else process.exit(code ?? 1);
  });
}
