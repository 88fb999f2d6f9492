import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import pg from "pg";
import { guardHttp2Clients } from "../../lib/http2-guard.ts";
import { eventually } from "./eventually.ts";
import { findFreePort } from "./free-port.ts";
import { Program } from "./program.ts";
import type { AnyServer } from "./server.ts";
import type { TransportOptions } from "./transports.ts";

/** A server as a process of its own, which can be killed and started again at the same address. */
export interface ServerProcess extends AnyServer, AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  readonly databaseUrl: string;
  /** Starts it, and waits until it is ready. */
  start(): Promise<void>;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>;
  /** kill -9, and waits for the end. */
  kill(): Promise<void>;
}

export async function startServerProcess(
  databaseUrl: string,
  options: {
    /** On unless told otherwise. */
    tls?: boolean;
    /** More flags of the server, which win over those that are set here. */
    flags?: string[];
    /** See ProgramOptions. */
    preload?: string[];
    environment?: Record<string, string>;
  } = {},
): Promise<ServerProcess> {
  const { tls = true, flags = [], preload = [], environment = {} } = options;
  guardHttp2Clients();
  await using started = new AsyncDisposableStack();
  const dataDir = await mkdtemp(path.join(tmpdir(), "lumetry-server-"));
  started.defer(() => rm(dataDir, { recursive: true, force: true }));
  const port = await findFreePort();
  const pool = started.adopt(
    new pg.Pool({ connectionString: databaseUrl, max: 2, application_name: "test" }),
    (opened) => opened.end(),
  );
  pool.on("error", () => {}); // connections are ended on purpose

  let program: Program | undefined;
  let setupSecret: string | undefined;
  const start = async () => {
    const fresh = new Program(
      "server/main.ts",
      [
        ...["--listen", `127.0.0.1:${port}`, "--data-dir", dataDir, "--ready-format", "json"],
        ...["--heartbeat-interval", "1s", "--log-level", "warn", "--drain-timeout", "2s"],
        ...["--calls-per-second", "10000", "--anonymous-calls-per-second", "10000"],
        ...["--tls", tls ? "on" : "off", ...flags],
      ],
      { environment: { ...environment, LUMETRY_DATABASE_URL: databaseUrl }, preload },
    );
    program = fresh;
    const ready = await eventually("the server is ready", () => {
      if (fresh.ending) throw new Error(`the server ended: ${fresh.errors}`);
      return /^\{.*"ready":true.*\}$/m.exec(fresh.output)?.[0];
    });
    setupSecret ??= JSON.parse(ready).setupSecret;
  };
  started.defer(async () => void (await program?.kill()));
  await start();

  const caFile = path.join(dataDir, "tls/ca.crt");
  const trust = tls ? { ca: await readFile(caFile, "utf8") } : {};
  const url = `${tls ? "https" : "http"}://localhost:${port}`;
  const sessionManager = started.adopt(new Http2SessionManager(url, {}, trust), (opened) =>
    opened.abort(),
  );
  const transport = ({ token }: TransportOptions = {}) =>
    createConnectTransport({
      baseUrl: url,
      httpVersion: "2",
      sessionManager,
      interceptors: [
        (next) => (request) => {
          if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
          return next(request);
        },
      ],
    });

  const stack = started.move();
  return {
    url,
    port,
    get pid() {
      return program?.child.pid ?? 0;
    },
    caFile,
    databaseUrl,
    get setupSecret() {
      return setupSecret;
    },
    transport,
    client: (service, token) =>
      createClient(service, transport(token === undefined ? {} : { token })),
    sql: async <Row extends pg.QueryResultRow>(query: string, parameters: unknown[] = []) =>
      (await pool.query<Row>(query, parameters)).rows,
    start,
    stop: async () => void (await program?.stop()),
    kill: async () => void (await program?.kill()),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
