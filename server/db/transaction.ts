import { CompiledQuery } from "kysely";
import type pg from "pg";
import type { Database } from "./database.ts";

/** Runs statements of PostgreSQL's own: the pool, or one connection inside a transaction. */
export type Queries = Pick<pg.Pool | pg.PoolClient, "query">;

/** Commits what `work` did on one connection, or nothing of it when it throws. */
export async function inTransaction<Result>(
  pool: pg.Pool,
  work: (queries: Queries) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query("begin");
    const result = await work(client);
    await client.query("commit");
    return result;
  } catch (error) {
    // A connection on which not even this works is not used again.
    broken = await client.query("rollback").then(
      () => undefined,
      (failed: Error) => failed,
    );
    throw error;
  } finally {
    client.release(broken);
  }
}

/** The same on a transaction of Kysely's, so that both kinds of statement can share one. */
export function queriesOf(db: Database): Queries {
  const query = async (
    given: string | { text: string; values?: unknown[] },
    values: unknown[] = [],
  ) => {
    const { text, values: own = values } = typeof given === "string" ? { text: given } : given;
    const { rows } = await db.executeQuery(CompiledQuery.raw(text, own));
    return { rows };
  };
  return { query } as unknown as Queries;
}
