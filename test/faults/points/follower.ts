import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import type { AnyServer } from "../../support/server.ts";
import { batchesIn, partsOf, readLog } from "./stored.ts";

/**
 * A reader of the log with a cursor, under the storm: what it has come by must be what is in the
 * log, nothing skipped and nothing twice. Whoever adds a reader to the server adds it to READERS.
 */
export interface Follower extends AsyncDisposable {
  /** Once nothing is written any more: what is wrong with what it has come by. */
  settle(server: AnyServer): Promise<string[]>;
}

export interface LogFollower extends Follower {
  /** How many segments it has come by. */
  readonly count: number;
}

export type Reader = (databaseUrl: string) => Follower;

/**
 * "transactions" asks for what is committed for good; "numbers", which is a mistake, for whatever
 * has a higher number than the last, and so skips a lower one that is committed later.
 */
export type Cursor = "transactions" | "numbers";

export const READERS: Reader[] = [(databaseUrl) => followLog(databaseUrl, "transactions")];

export function followLog(databaseUrl: string, cursor: Cursor): LogFollower {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1, application_name: "test" });
  pool.on("error", () => {}); // connections are ended on purpose
  pool.on("connect", (client) => client.on("error", () => {}));
  const bodies: Buffer[] = [];
  let position = "0";
  let isOver = false;

  const byTransactions = async (client: pg.PoolClient) => {
    const { rows: edges } = await client.query<{ edge: string }>(
      "select pg_snapshot_xmin(pg_current_snapshot())::text as edge",
    );
    const edge = edges[0]?.edge ?? position;
    const { rows } = await client.query<{ body: Buffer }>(
      `select body from segments
       where transaction_id >= $1::xid8 and transaction_id < $2::xid8
       order by transaction_id, segment_id`,
      [position, edge],
    );
    return { rows, next: edge };
  };
  const byNumbers = async (client: pg.PoolClient) => {
    const { rows } = await client.query<{ body: Buffer; number: string }>(
      "select body, segment_id::text as number from segments where segment_id > $1::bigint order by segment_id",
      [position],
    );
    return { rows, next: rows.at(-1)?.number ?? position };
  };

  /** Of one snapshot; the cursor moves with what it has come by, or not at all. */
  const read = async () => {
    const client = await pool.connect();
    let failure: Error | undefined;
    try {
      await client.query("begin transaction isolation level repeatable read read only");
      const { rows, next } = await (cursor === "transactions" ? byTransactions : byNumbers)(client);
      await client.query("commit");
      bodies.push(...rows.map(({ body }) => body));
      position = next;
    } catch (error) {
      failure = error as Error;
      throw error;
    } finally {
      client.release(failure);
    }
  };
  const isBehind = async () => {
    const { rows } = await pool.query(
      "select from segments where transaction_id >= $1::xid8 limit 1",
      [position],
    );
    return rows.length > 0;
  };
  const following = (async () => {
    while (!isOver) {
      await read().catch(() => {}); // the database is away
      await wait(20);
    }
  })();

  return {
    get count() {
      return bodies.length;
    },
    async settle(server) {
      isOver = true;
      await following;
      await read();
      // Somebody else's transaction, in another database even, holds back what counts as committed for good.
      while (cursor === "transactions" && (await isBehind())) {
        await wait(20);
        await read();
      }
      const parts = await partsOf(server);
      const name = ({ batchId }: { batchId: string }) => batchId;
      const come = bodies.flatMap((body) => batchesIn(body, parts)).map(name);
      const there = new Set((await readLog(server)).map(name));
      const skipped = there.difference(new Set(come));
      return [
        ...(skipped.size > 0 ? [`a reader skipped ${skipped.size} batches`] : []),
        ...(come.length > there.size ? [`a reader came by ${come.length - there.size} twice`] : []),
      ];
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      await following;
      await pool.end();
    },
  };
}
