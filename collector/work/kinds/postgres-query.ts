import type { Socket } from "node:net";
import pg from "pg";
import { MetricMetadata_Kind as Kind } from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import {
  type PostgresQuery,
  PostgresQuery_TlsMode as TlsMode,
} from "../../../gen/lumetry/source/v1/settings_pb.js";
import { trusting } from "../../../lib/egress/authorities.ts";
import { EgressFailure, outOfTime, tlsFailed } from "../../../lib/egress/failure.ts";
import { hostAndPort } from "../../../lib/egress/host.ts";
import { PollFailed } from "../findings.ts";
import type { Poll, PollContext } from "./kind.ts";
import { readNumber } from "./number.ts";

const DEFAULT_MOST_ROWS = 1_000;
const MOST_ANSWER_BYTES = 16 * 2 ** 20;
/** The server gives up a little before we do, so that it is the one who says so. */
const AHEAD_OF_BUDGET_MS = 50;
const CANCEL_WITHIN_MS = 1_000;

/** `pg` connects by itself; here it gets a socket that the dialler has connected. */
function asConnecting(socket: Socket): Socket {
  return Object.assign(socket, {
    connect: () => {
      process.nextTick(() => socket.emit("connect"));
      return socket;
    },
  });
}

function makeClient(settings: PostgresQuery, socket: Socket, context: PollContext): pg.Client {
  const { host = "", port = 0 } = settings.target ?? {};
  const name = settings.tls?.serverName || host;
  return new pg.Client({
    stream: () => asConnecting(socket),
    // Never dialled; the name is what the certificate has to be for.
    host: name,
    port,
    user: settings.username,
    database: settings.database,
    // A function, so that nothing of this machine's environment or files is taken instead.
    password: () => context.secrets.password,
    ssl:
      settings.tlsMode === TlsMode.OFF
        ? false
        : { secureContext: trusting(settings.tls?.caPem || undefined), rejectUnauthorized: true },
    application_name: "lumetry",
    // Values stay as the server writes them.
    types: { getTypeParser: () => (value: string) => value },
    options: "-c default_transaction_read_only=on",
  } as pg.ClientConfig);
}

const quote = (name: string) => `'${name.replaceAll("'", "''")}'`;

/** Asks the server to end what this connection runs, over a connection of its own. */
async function cancel(settings: PostgresQuery, client: pg.Client, { dialler }: PollContext) {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const { host = "", port = 0 } = settings.target ?? {};
  const signal = AbortSignal.timeout(CANCEL_WITHIN_MS);
  try {
    const { socket } = await dialler.dial(host, port, { signal });
    const request = Buffer.alloc(16);
    request.writeInt32BE(16, 0);
    request.writeInt32BE(80_877_102, 4);
    request.writeInt32BE(processID, 8);
    request.writeInt32BE(secretKey, 12);
    socket.end(request);
    socket.once("data", () => {});
    socket.resume();
    await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  } catch {
    // It ends all the same: by the timeout it was started with.
  }
}

type Row = Record<string, string | null>;

async function runQuery(
  settings: PostgresQuery,
  client: pg.Client,
  budgetMs: number,
): Promise<Row[]> {
  const most = settings.mostRows || DEFAULT_MOST_ROWS;
  const limit = Math.max(1, Math.floor(budgetMs - AHEAD_OF_BUDGET_MS));
  await client.query(`set statement_timeout = ${limit}`);
  // Should this process vanish, the server notices that nobody listens any more; it has this from version 14 on.
  await client
    .query("set client_connection_check_interval = 1000")
    .catch((error: { code?: string }) => {
      if (error.code === undefined) throw error;
    });
  await client.query("begin transaction isolation level repeatable read read only");
  const query = settings.query.trim().replace(/;+$/, "");
  // Through a cursor, so that no more is sent than may be taken; and one statement, not several.
  await client.query({
    text: `declare readings no scroll cursor for ${query}`,
    queryMode: "extended",
  } as pg.QueryConfig);
  const { rows } = await client.query<Row>(`fetch forward ${most + 1} from readings`);
  await client.query("rollback");
  if (rows.length > most) {
    throw new PollFailed(`the query gives more than ${most.toLocaleString("en")} rows`);
  }
  return rows;
}

function failureOf(error: unknown, where: string, signal: AbortSignal): Error {
  if (error instanceof PollFailed || error instanceof EgressFailure) return error;
  const { code, message } = error as { code?: string; message: string };
  if (signal.aborted || code === "57014") {
    return outOfTime(where, "running the query, which was cancelled");
  }
  if (code === "25006")
    return new PollFailed("the query wants to change something; it may only read");
  if (/does not support SSL/.test(message)) {
    return new PollFailed(
      `${where} does not speak TLS: turn it on there, or allow to go without it`,
    );
  }
  // SQLSTATEs have five characters; what is longer comes from the connection.
  if (code === undefined || code.length !== 5) return tlsFailed(where, error);
  return new PollFailed(`${where}: ${message} (${code})`);
}

function noteRows(settings: PostgresQuery, rows: Row[], { findings }: PollContext): void {
  const [first] = rows;
  const wanted = [...settings.metrics.map(({ column }) => column), ...settings.labelColumns];
  const missing = first && wanted.find((column) => !Object.hasOwn(first, column));
  if (missing !== undefined) throw new PollFailed(`the query gives no column ${quote(missing)}`);
  for (const row of rows) {
    const labels = Object.fromEntries(
      settings.labelColumns.map((column) => [column, row[column] ?? ""]),
    );
    for (const { column, metric } of settings.metrics) {
      const text = row[column] ?? null;
      if (text === null) continue;
      const value = text === "t" ? 1 : text === "f" ? 0 : readNumber(text);
      if (value === undefined) {
        throw new PollFailed(
          `column ${quote(column)} holds ${JSON.stringify(text.slice(0, 60))}, which is no number`,
        );
      }
      findings.series.push({ metric, labels, points: [{ value }] });
    }
  }
  for (const { metric, kind, unit, description } of settings.metrics) {
    findings.describe({ metric, kind: kind || Kind.GAUGE, unit, description });
  }
  findings.fact("rows", String(rows.length));
}

export const pollPostgresQuery: Poll<PostgresQuery> = async (settings, context) => {
  const { dialler, signal, findings, charge } = context;
  const { host = "", port = 0 } = settings.target ?? {};
  const where = hostAndPort(host, port);
  const begun = performance.now();
  const { socket, address } = await dialler.dial(host, port, { signal, trace: findings.trace });
  findings.fact("address", address);
  const client = makeClient(settings, socket, context);
  client.on("error", () => {}); // also comes as the failure of what is under way
  let tooMuch: Error | undefined;
  let taken = 0;
  const watch = setInterval(() => {
    const news = socket.bytesRead - taken;
    taken = socket.bytesRead;
    try {
      charge(news);
      if (taken > MOST_ANSWER_BYTES) throw new PollFailed("the rows take more than 16 MiB");
    } catch (error) {
      tooMuch = error as Error;
      socket.destroy();
    }
  }, 20);
  let isDone = false;
  const end = () => {
    if (!isDone) void cancel(settings, client, context);
  };
  signal.addEventListener("abort", end, { once: true });
  try {
    findings.trace("sign_in", `signing in at ${where}`);
    await client.connect();
    findings.trace("query", "running the query");
    const budgetMs = context.budgetMs - (performance.now() - begun);
    const rows = await runQuery(settings, client, budgetMs);
    isDone = true;
    noteRows(settings, rows, context);
    await client.end();
  } catch (error) {
    throw tooMuch ?? failureOf(error, where, signal);
  } finally {
    isDone = true;
    clearInterval(watch);
    signal.removeEventListener("abort", end);
    socket.destroy();
  }
};
