import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import pg from "pg";
import { silentLog } from "../../lib/log.ts";
import { connectDatabase, migrate } from "../../server/db/database.ts";
import { type EmbeddedDatabase, startEmbeddedDatabase } from "../../server/db/embedded.ts";

/** Holds, as JSON, the connection of the PostgreSQL that test/run.ts started for the whole run. */
export const VARIABLE = "LUMETRY_TEST_POSTGRES";

type Connection = EmbeddedDatabase["connection"];
let shared: Promise<Connection> | undefined;

/** The PostgreSQL of this run of the tests; a test file that is run by itself starts its own. */
export function sharedPostgres(): Promise<Connection> {
  const given = process.env[VARIABLE];
  shared ??= given ? Promise.resolve(JSON.parse(given) as Connection) : startOwn();
  return shared;
}

/** What a server finds that has been here before. */
const MIGRATED = "migrated";

/**
 * A PostgreSQL for as many servers as tests run side by side, with one database that is copied for
 * each of them: making it takes longer.
 */
export async function startTestPostgres(directory: string): Promise<EmbeddedDatabase> {
  {
    await using first = await startEmbeddedDatabase({ directory, log: silentLog });
    await runAlone(first.connection, "alter system set max_connections = 400");
  }
  const database = await startEmbeddedDatabase({ directory, log: silentLog });
  const { connection } = database;
  await runAlone(connection, `create database ${MIGRATED}`);
  await using migrated = connectDatabase(
    { ...connection, database: MIGRATED },
    { log: silentLog, connections: 1 },
  );
  await migrate(migrated.db);
  return database;
}

/** Starts a PostgreSQL that ends, with its files, when this process has nothing left to do. */
async function startOwn(): Promise<Connection> {
  const directory = await mkdtemp(path.join(os.tmpdir(), "lumetry-test-postgres-"));
  let database: EmbeddedDatabase | undefined;
  const end = async () => {
    await database?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    database = await startTestPostgres(directory);
  } catch (error) {
    await end();
    throw error;
  }
  let ending: Promise<void> | undefined;
  const stop = async () => {
    ending ??= end();
    await ending;
  };
  process.once("beforeExit", stop);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => stop().finally(() => process.kill(process.pid, signal)));
  }
  return database.connection;
}

/** A connection as a URL; the host part is there for parsers of URLs only, the query counts. */
export function urlOf(connection: Connection, database = connection.database): string {
  const { host, port, user, password } = connection;
  const socket = encodeURIComponent(host);
  return `postgres://${user}:${encodeURIComponent(password)}@localhost/${database}?host=${socket}&port=${port}`;
}

/** A new, empty database, dropped when disposed of, even if something is still connected to it. */
export const freshDatabase = () => copyDatabase("template0");

/** The same with the tables of the server, and nothing in them. */
export const migratedDatabase = () => copyDatabase(MIGRATED);

async function copyDatabase(template: string): Promise<{ url: string } & AsyncDisposable> {
  const connection = await sharedPostgres();
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  await runAlone(connection, `create database ${name} template ${template}`);
  return {
    url: urlOf(connection, name),
    async [Symbol.asyncDispose]() {
      await runAlone(connection, `drop database if exists ${name} with (force)`);
    },
  };
}

async function runAlone(connection: Connection, statement: string): Promise<void> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
