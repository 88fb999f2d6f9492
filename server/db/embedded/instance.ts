import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Log } from "../../../lib/log.ts";
import { fixedSettings, USER } from "./cluster.ts";
import { codeOf, EmbeddedDatabaseError } from "./error.ts";
import { LogLines } from "./log-lines.ts";
import { type Place, PORT } from "./place.ts";
import { ended, type Run, run } from "./run.ts";

const DATABASE = "lumetry";

/** What pg.Pool wants; the host is the directory of a Unix socket. */
export interface Connection {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

export const connectionTo = (place: Place, password: string): Connection => ({
  host: place.socketDirectory,
  port: PORT,
  user: USER,
  password,
  database: DATABASE,
});

/** One run of PostgreSQL. */
export interface Instance {
  readonly pid: number | undefined;
  /** Words for how it ended, once it has. */
  readonly ended: Promise<string>;
  readonly lines: LogLines;
  /** Fast shutdown; immediate shutdown after 10 s. Settles when the process is gone. */
  stop(): Promise<void>;
}

/** Starts PostgreSQL and waits until it takes connections; rejects with the end of its log if it ends first. */
export async function startInstance(
  place: Place,
  password: string,
  log: Log,
  signal: AbortSignal,
): Promise<Instance> {
  const lines = new LogLines(log);
  const args = ["-D", place.data, ...fixedSettings(place)];
  const child = await run(place, "postgres", args, (chunk) => lines.write(chunk));
  const instance: Instance = {
    pid: child.pid,
    ended: ended(child),
    lines,
    stop: () => stop(child, instance.ended),
  };
  try {
    await becomeReady(instance, connectionTo(place, password), log, signal);
  } catch (error) {
    await instance.stop();
    throw error;
  }
  // A server is kept alive by what it serves; a test or a script may end without a word.
  child.unref();
  if (child.stderr instanceof Socket) child.stderr.unref();
  return instance;
}

async function stop(child: Run, end: Promise<string>): Promise<void> {
  child.ref();
  const escalation = [
    setTimeout(() => child.kill("SIGQUIT"), 10_000),
    setTimeout(() => child.kill("SIGKILL"), 20_000),
  ];
  child.kill("SIGINT");
  await end;
  for (const timer of escalation) clearTimeout(timer);
}

async function becomeReady(
  instance: Instance,
  connection: Connection,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  let outcome: string | undefined;
  instance.ended.then((words) => {
    outcome = words;
  });
  let told = performance.now();
  for (;;) {
    signal.throwIfAborted();
    if (outcome !== undefined) {
      throw new EmbeddedDatabaseError(
        `PostgreSQL did not start; it ${outcome}. The end of its log:\n${instance.lines.tail}`,
      );
    }
    if (await tryToOpen(connection)) return;
    await sleep(20);
    if (performance.now() - told > 10_000) {
      told = performance.now();
      log.info({ last: instance.lines.tail.split("\n").at(-1) }, "PostgreSQL is still starting");
    }
  }
}

/** Creates our database unless it exists; false while PostgreSQL does not take connections yet. */
async function tryToOpen(connection: Connection): Promise<boolean> {
  const client = new pg.Client({
    ...connection,
    database: "postgres",
    connectionTimeoutMillis: 5_000,
  });
  client.on("error", () => {}); // a broken connection also fails the query under way
  try {
    await client.connect();
    const found = await client.query("select from pg_database where datname = $1", [DATABASE]);
    if (found.rowCount === 0) await client.query(`create database ${DATABASE}`);
    return true;
  } catch (error) {
    if (codeOf(error) !== "28P01") return false;
    throw new EmbeddedDatabaseError(
      "The embedded PostgreSQL refuses the password in the file beside its data: put back the file that belongs to this data.",
    );
  } finally {
    await client.end().catch(() => {});
  }
}
