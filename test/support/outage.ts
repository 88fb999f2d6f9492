import pg from "pg";
import { sharedPostgres } from "./database.ts";
import type { TestServer } from "./server.ts";

/** Takes the database of a server away, as a failing PostgreSQL would; it is back when disposed of. */
export async function takeDatabaseAway({ databaseUrl }: TestServer): Promise<AsyncDisposable> {
  const name = new URL(databaseUrl).pathname.slice(1);
  const client = new pg.Client(await sharedPostgres());
  await client.connect();
  const allow = (allowed: boolean) =>
    client.query(`alter database ${name} allow_connections ${allowed}`);
  await allow(false);
  await client.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", [
    name,
  ]);
  return {
    async [Symbol.asyncDispose]() {
      await allow(true);
      await client.end();
    },
  };
}
