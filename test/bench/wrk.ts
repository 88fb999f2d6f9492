import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { Template } from "./bodies.ts";

/** Load from `wrk`, a client cheap enough not to hide how fast a server is. */

export interface Target {
  /** One for each process that shares the load; all of 127.0.0.1. */
  ports: number[];
  tls: boolean;
  path: string;
  headers: Record<string, string>;
}

export interface Outcome {
  requests: number;
  seconds: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  /** Answers that say no, and requests without an answer. */
  failures: number;
}

const NO_ID = 0;

/** Requests, heads included, and where in them to advance ids and times; see advancing.lua. */
export async function writeRequests(
  file: string,
  { path: requestPath, headers }: Target,
  templates: readonly Template[],
): Promise<void> {
  const parts: Uint8Array[] = [uint32(templates.length)];
  for (const template of templates) {
    const lines = [`POST ${requestPath} HTTP/1.1`, "host: localhost"];
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    lines.push(`content-length: ${template.bytes.length}`);
    const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);
    parts.push(encode(head, template));
  }
  await writeFile(file, Buffer.concat(parts));
}

function encode(head: Buffer, { bytes, idAt, timeBytes, perSecond, times }: Template): Buffer {
  const moved = (at: number) => at + head.length;
  const groups = [...Map.groupBy(times, ({ after }) => after)];
  return Buffer.concat([
    uint32(head.length + bytes.length, idAt === undefined ? NO_ID : moved(idAt)),
    uint32(timeBytes, perSecond, groups.length),
    ...groups.map(([after, group]) =>
      uint32(after, group.length, ...group.map(({ at }) => moved(at))),
    ),
    head,
    bytes,
    Buffer.alloc(-(head.length + bytes.length) & 3),
  ]);
}

const uint32 = (...numbers: number[]) => Buffer.from(Uint32Array.from(numbers).buffer);

const run = promisify(execFile);

/** Sends the requests of a file for a while, by so many connections, with times from a second on. */
export async function runWrk(
  target: Target,
  options: { file: string; connections: number; seconds: number; second: number },
): Promise<Outcome> {
  const { file, connections, seconds, second } = options;
  const { ports, tls } = target;
  const threads = Math.min(2, connections);
  const script = path.join(import.meta.dirname, "advancing.lua");
  const url = `${tls ? "https" : "http"}://127.0.0.1:${ports[0]}`;
  const { stdout } = await run(
    "wrk",
    [`-t${threads}`, `-c${connections}`, `-d${seconds}s`, "--timeout", "30s", "-s", script, url],
    {
      env: {
        ...process.env,
        BENCH_PORTS: ports.join(","),
        BENCH_THREADS: String(threads),
        BENCH_REQUESTS: file,
        BENCH_EPOCH: randomBytes(4).toString("hex"),
        BENCH_SECOND: String(second),
      },
    },
  );
  const line = /^\{.*\}$/m.exec(stdout)?.[0];
  if (!line) throw new Error(`wrk told nothing: ${stdout}`);
  return JSON.parse(line);
}
