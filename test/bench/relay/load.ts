import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";

/** The same request again and again, from `wrk`: a client cheap enough not to hide what it measures. */
export interface Shot {
  path: string;
  headers: Record<string, string>;
  body: Uint8Array;
}

export interface Outcome {
  perSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  failures: number;
  /** Microseconds of processor time that the process in between took for each request. */
  cpu: number;
}

const quoted = (bytes: Uint8Array | string) =>
  `"${[...Buffer.from(bytes)].map((byte) => `\\${String(byte).padStart(3, "0")}`).join("")}"`;

export async function writeShot(file: string, { path, headers, body }: Shot): Promise<void> {
  const lines = Object.entries(headers).map(
    ([name, value]) => `wrk.headers[${quoted(name)}] = ${quoted(value)}`,
  );
  await writeFile(
    file,
    `wrk.method = "POST"
wrk.path = ${quoted(path)}
wrk.body = ${quoted(body)}
${lines.join("\n")}
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"us":%d,"p50":%f,"p99":%f,"failures":%d}\\n', summary.requests, summary.duration,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, e.connect + e.read + e.write + e.status + e.timeout))
end
`,
  );
}

/** Processor time of a process so far, in microseconds. */
export function cpuOf(pid: number | undefined): number {
  if (pid === undefined) return 0;
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000; // clock ticks of a hundredth of a second
}

const run = promisify(execFile);

export async function shoot(
  port: number,
  file: string,
  options: { connections: number; seconds: number; between: number | undefined },
): Promise<Outcome> {
  const { connections, seconds, between } = options;
  const before = cpuOf(between);
  const { stdout } = await run("wrk", [
    ...["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "30s", "-s", file],
    `https://127.0.0.1:${port}`,
  ]);
  const line = /^\{.*\}$/m.exec(stdout)?.[0];
  if (!line) throw new Error(`wrk told nothing: ${stdout}`);
  const { requests, us, p50, p99, failures } = JSON.parse(line);
  return {
    perSecond: (requests / us) * 1e6,
    ...{ p50, p99, failures },
    cpu: (cpuOf(between) - before) / requests,
  };
}
