import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { eventually } from "../../support/eventually.ts";
import { findFreePort } from "../../support/free-port.ts";

/** What a relay is measured beside: nginx as a reverse proxy with one worker, TLS on both sides. */
export interface Nginx extends AsyncDisposable {
  version: string;
  port: number;
  /** The process that does the work. */
  worker: number;
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Before a server on a port of this machine; it trusts whatever certificate that shows. */
export async function startNginx(upstreamPort: number, pem: string): Promise<Nginx> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(tmpdir(), "lumetry-bench-nginx-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const port = await findFreePort();
  const file = path.join(directory, "nginx.conf");
  await writeFile(file, configuration(directory, port, upstreamPort, pem));
  const child = spawn("nginx", ["-c", file, "-e", path.join(directory, "error.log")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  running.add(child);
  let errors = "";
  child.stderr.on("data", (text) => {
    errors = `${errors}${text}`;
  });
  stack.defer(async () => {
    running.delete(child);
    if (child.exitCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  });
  const worker = await eventually("nginx works", async () => {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${errors}`);
    const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, "utf8");
    return Number(children.trim().split(" ")[0]) || undefined;
  });
  const { stderr } = spawnSync("nginx", ["-v"], { encoding: "utf8" });
  const version = /nginx\/(\S+)/.exec(stderr)?.[1] ?? "";
  const started = stack.move();
  return { version, port, worker, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

/** As its own documentation has it for speed: kept connections on both sides, nothing written to disk. */
const configuration = (directory: string, port: number, upstreamPort: number, pem: string) => `
daemon off;
worker_processes 1;
pid ${directory}/pid;
user ${process.getuid?.() === 0 ? "root" : "nobody"};
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 100000000;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${directory}/${name};`).join("\n  ")}
  upstream server { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${pem};
    ssl_certificate_key ${pem};
    client_max_body_size 4m;
    location / {
      proxy_pass https://server;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_request_buffering off;
    }
  }
}
`;
