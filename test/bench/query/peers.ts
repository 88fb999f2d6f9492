/** Prometheus and VictoriaMetrics with the same points in them, if this machine has them. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { finished } from "node:stream/promises";
import { promisify } from "node:util";
import { eventually } from "../../support/eventually.ts";
import { findFreePort } from "../../support/free-port.ts";
import { METRICS, makeSeries, metricName } from "./points.ts";

const run = promisify(execFile);

export interface Peer extends AsyncDisposable {
  name: string;
  url: string;
  /** Bytes of points on disk, merged. */
  bytes: number;
}

export async function isInstalled(program: string): Promise<boolean> {
  return run("sh", ["-c", `command -v ${program}`]).then(
    () => true,
    () => false,
  );
}

/** Lines of the text format, with times in seconds for OpenMetrics or in ms. */
async function writeText(
  file: string,
  series: number,
  startMs: number,
  steps: number,
  isOpenMetrics: boolean,
): Promise<void> {
  const out = createWriteStream(file);
  for (let metric = 0; metric < METRICS; metric += 1) {
    if (isOpenMetrics) out.write(`# TYPE ${metricName(metric)} gauge\n`);
    for (let index = metric; index < series; index += METRICS) {
      const { labels, values } = makeSeries(index);
      const text = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
      const head = `${metricName(index)}{${text.join(",")}}`;
      let lines = "";
      for (const [step, value] of values(steps).entries()) {
        const ms = startMs + step * 60_000;
        lines += `${head} ${value} ${isOpenMetrics ? ms / 1000 : ms}\n`;
      }
      if (!out.write(lines)) await once(out, "drain");
    }
  }
  out.end(isOpenMetrics ? "# EOF\n" : "");
  await finished(out);
}

async function sizeOf(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(path.join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}

async function startPeer(
  name: string,
  program: string,
  directory: string,
  args: (port: number) => string[],
): Promise<Omit<Peer, "bytes">> {
  const port = await findFreePort();
  const child = spawn(program, args(port), { cwd: directory, stdio: "ignore" });
  const url = `http://127.0.0.1:${port}`;
  await eventually(`${name} answers`, () =>
    fetch(`${url}/metrics`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  return {
    name,
    url,
    async [Symbol.asyncDispose]() {
      const exit = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await exit;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export async function startPrometheus(
  series: number,
  startMs: number,
  steps: number,
): Promise<Peer> {
  const directory = await mkdtemp(path.join(tmpdir(), "bench-prometheus-"));
  const text = path.join(directory, "points.txt");
  await writeText(text, series, startMs, steps, true);
  const data = path.join(directory, "data");
  await run(
    "promtool",
    [
      ...["tsdb", "create-blocks-from", "openmetrics", "--quiet"],
      ...["--max-block-duration=24h", text, data],
    ],
    { maxBuffer: 1 << 28 },
  );
  await rm(text);
  await writeFile(path.join(directory, "prometheus.yml"), "");
  const bytes = await sizeOf(data);
  const peer = await startPeer("Prometheus", "prometheus", directory, (port) => [
    `--web.listen-address=127.0.0.1:${port}`,
    `--storage.tsdb.path=${data}`,
    "--storage.tsdb.retention.time=10y",
  ]);
  return { ...peer, bytes };
}

export async function startVictoria(series: number, startMs: number, steps: number): Promise<Peer> {
  const directory = await mkdtemp(path.join(tmpdir(), "bench-victoria-"));
  const data = path.join(directory, "data");
  const peer = await startPeer("VictoriaMetrics", "victoria-metrics", directory, (port) => [
    `-httpListenAddr=127.0.0.1:${port}`,
    `-storageDataPath=${data}`,
    "-retentionPeriod=10y",
    "-search.latencyOffset=0s",
  ]);
  const text = path.join(directory, "points.txt");
  await writeText(text, series, startMs, steps, false);
  const imported = await fetch(`${peer.url}/api/v1/import/prometheus`, {
    method: "POST",
    body: await readFile(text),
  });
  if (!imported.ok) throw new Error(`VictoriaMetrics refused the points: ${await imported.text()}`);
  await rm(text);
  for (const what of ["force_flush", "force_merge"]) await fetch(`${peer.url}/internal/${what}`);
  // A merge is over when the size has not changed in a while.
  let bytes = 0;
  await eventually("parts are merged", async () => {
    const before = bytes;
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    bytes = await sizeOf(path.join(data, "data"));
    return bytes === before && bytes > 0;
  });
  return { ...peer, bytes };
}
