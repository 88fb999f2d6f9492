import { fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import pg from "pg";
import { MetricsService } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { IngestionKeyService } from "../../gen/lumetry/v1/ingestion_key_service_pb.js";
import { setUp } from "../support/server.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { type Shape, type Template, writeMetricsTemplate } from "./bodies.ts";
import type { Peer } from "./peers.ts";
import { remoteWriteTemplate } from "./remote-write.ts";
import type { Target } from "./wrk.ts";

/** What the bench of ingestion measures, each behind one interface. */

const PATH = `/${MetricsService.typeName}/WriteMetrics`;

/** Something that takes points. */
export interface System {
  name: string;
  target: Target;
  template: (host: number, shape: Shape) => Template;
  /** Points that it says it has stored; undefined when it stores nothing. */
  stored?: () => Promise<number>;
  /** The time from which the next load goes on. */
  second: number;
  /** The requests of each shape. */
  files: Map<Shape, string>;
}

const startSecond = () => Math.floor(Date.now() / 1000) - 7 * 86_400;

export async function startServers(
  databaseUrl: string,
  count: number,
  options: Parameters<typeof startServerProcess>[1],
) {
  await using stack = new AsyncDisposableStack();
  const servers: ServerProcess[] = [];
  for (let number = 0; number < count; number += 1) {
    const flags = ["--calls-per-second", "1000000", "--series-limit", "10000000"];
    // As the launcher and the service start it.
    const environment = { NODE_OPTIONS: "--max-semi-space-size=16", ...options?.environment };
    const server = await startServerProcess(databaseUrl, { ...options, flags, environment });
    servers.push(stack.use(server));
  }
  const started = stack.move();
  return { servers, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

/** So many servers on one database, with the load's key. */
export async function startLumetry(
  stack: AsyncDisposableStack,
  databaseUrl: string,
  { processes, tls }: { processes: number; tls: boolean },
): Promise<System> {
  const { servers } = stack.use(await startServers(databaseUrl, processes, { tls }));
  // The set-up is whose server started last.
  const last = servers.at(-1) as ServerProcess;
  const owner = await setUp(last);
  const { secret } = await last
    .client(IngestionKeyService, owner.token)
    .createIngestionKey({ displayName: "load" });
  const pool = stack.adopt(new pg.Pool({ connectionString: databaseUrl, max: 1 }), (opened) =>
    opened.end(),
  );
  return {
    name: tls ? "Lumetry with TLS" : "Lumetry",
    target: {
      ports: servers.map(({ port }) => port),
      tls,
      path: PATH,
      headers: { "content-type": "application/proto", authorization: `Bearer ${secret}` },
    },
    template: (host, shape) => writeMetricsTemplate(host, shape),
    stored: async () =>
      Number((await pool.query("select sum(points) from segments")).rows[0].sum ?? 0),
    second: startSecond(),
    files: new Map(),
  };
}

export function systemOf(peer: Peer): System {
  const isPrometheus = peer.name === "Prometheus";
  return {
    name: peer.name,
    target: {
      ports: [peer.port],
      tls: false,
      path: "/api/v1/write",
      headers: {
        "content-type": "application/x-protobuf",
        "content-encoding": "snappy",
        "x-prometheus-remote-write-version": "0.1.0",
      },
    },
    template: (host, shape) => remoteWriteTemplate(host, shape),
    stored: () =>
      peer.counter(
        isPrometheus
          ? "prometheus_tsdb_head_samples_appended_total"
          : 'vm_rows_inserted_total{type="promremotewrite"}',
      ),
    second: startSecond(),
    files: new Map(),
  };
}

/** Node's own HTTP server, in as many processes. */
export async function startPlain(stack: AsyncDisposableStack, processes: number): Promise<System> {
  const ports: number[] = [];
  for (let number = 0; number < processes; number += 1) {
    const child = fork(path.join(import.meta.dirname, "plain-server.ts"));
    stack.defer(() => void child.kill());
    const [port] = await once(child, "message");
    ports.push(port as number);
  }
  return {
    name: "Node's HTTP",
    target: { ports, tls: false, path: "/", headers: { "content-type": "application/proto" } },
    template: (host, shape) => writeMetricsTemplate(host, shape),
    second: startSecond(),
    files: new Map(),
  };
}
