import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";

/** What Lumetry is measured beside, from Debian's packages, with an empty database each. */
export interface Peer extends AsyncDisposable {
  name: string;
  version: string;
  port: number;
  url: string;
  /** Where it keeps its data. */
  directory: string;
  /** One of its own counters, by the name under which it shows it. */
  counter(name: string): Promise<number>;
}

interface Kind {
  name: string;
  program: string;
  debianPackage: string;
  readyPath: string;
  arguments(directory: string, port: number): string[];
}

/** A request that overtakes the one before it is taken, as the others take it. */
const CONFIGURATION = "storage: {tsdb: {out_of_order_time_window: 10m}}\n";

const PROMETHEUS: Kind = {
  name: "Prometheus",
  program: "prometheus",
  debianPackage: "prometheus",
  readyPath: "/-/ready",
  arguments: (directory, port) => [
    `--config.file=${path.join(directory, "prometheus.yml")}`,
    `--storage.tsdb.path=${path.join(directory, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--web.enable-remote-write-receiver",
    "--log.level=error",
  ],
};

const VICTORIA_METRICS: Kind = {
  name: "VictoriaMetrics",
  program: "victoria-metrics",
  debianPackage: "victoria-metrics",
  readyPath: "/health",
  arguments: (directory, port) => [
    `-storageDataPath=${path.join(directory, "data")}`,
    `-httpListenAddr=127.0.0.1:${port}`,
    "-retentionPeriod=12",
    "-loggerLevel=ERROR",
  ],
};

export const startPrometheus = () => start(PROMETHEUS);
export const startVictoriaMetrics = () => start(VICTORIA_METRICS);

/** Fails, saying what to install, when a program is missing. */
export function requirePrograms(...debianPackages: string[]): void {
  const missing = debianPackages.filter((name) => {
    try {
      execFileSync("which", [name], { stdio: "ignore" });
      return false;
    } catch {
      return true;
    }
  });
  if (missing.length > 0) {
    throw new Error(`this bench takes ${missing.join(", ")}: apt-get install ${missing.join(" ")}`);
  }
}

/** The version of an installed package of Debian's. */
export function debianVersion(debianPackage: string): string {
  const status = execFileSync("dpkg-query", ["-s", debianPackage], { encoding: "utf8" });
  return /^Version: (.*)$/m.exec(status)?.[1] ?? "of an unknown version";
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

async function start(kind: Kind): Promise<Peer> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(tmpdir(), `lumetry-bench-${kind.program}-`));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  await writeFile(path.join(directory, "prometheus.yml"), CONFIGURATION);
  const port = await findFreePort();
  const child = spawn(kind.program, kind.arguments(directory, port), {
    stdio: ["ignore", "ignore", "pipe"],
  });
  running.add(child);
  let errors = "";
  child.stderr.on("data", (text) => {
    errors = `${errors}${text}`.slice(-10_000);
  });
  stack.defer(async () => {
    running.delete(child);
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  });
  const url = `http://127.0.0.1:${port}`;
  await eventually(`${kind.name} is ready`, async () => {
    if (child.exitCode !== null) throw new Error(`${kind.name} ended: ${errors}`);
    const answer = await fetch(url + kind.readyPath).catch(() => undefined);
    await answer?.body?.cancel();
    return answer?.ok;
  });
  const started = stack.move();
  return {
    name: kind.name,
    version: debianVersion(kind.debianPackage),
    port,
    url,
    directory,
    async counter(name) {
      const text = await (await fetch(`${url}/metrics`)).text();
      const lines = text.split("\n").filter((line) => line.startsWith(name));
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}
