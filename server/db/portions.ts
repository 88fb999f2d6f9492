import type pg from "pg";

/** Keeps a reader from reading too much, by throwing. */
export interface ReadBudget {
  /** A read is going to take so many bytes in all, if it is not left early. */
  expect(bytes: number): void;
  /** So many are read next. */
  spend(bytes: number): void;
}

const PORTION_BYTES = 8 << 20;

/**
 * Rows with a `body`, in an order: only a few megabytes are held at a time. Other columns must be text,
 * int4 or float8, since rows come in binary form. Runs in the transaction of the client.
 */
export async function* readPortions<Row extends { body: Buffer }>(
  client: pg.PoolClient,
  query: { text: string; order: string; values: unknown[] },
  budget: ReadBudget,
  signal: AbortSignal,
): AsyncGenerator<Row> {
  const { text, order, values } = query;
  // Before each query: once it is aborted, the client may be somebody else's.
  signal.throwIfAborted();
  // How many rows make a portion is settled first, from their sizes alone.
  const portions = await client.query<{ rows: number; bytes: number }>(
    `select count(*)::int as rows, sum(bytes)::float8 as bytes from (
       select octet_length(body) as bytes,
         sum(octet_length(body)) over (order by ${order}) as running
       from (${text}) as found
     ) as sized group by (running - 1) / ${PORTION_BYTES} order by min(running)`,
    values,
  );
  budget.expect(portions.rows.reduce((sum, { bytes }) => sum + bytes, 0));
  if (portions.rows.length === 0) return;
  signal.throwIfAborted();
  const cursor = `portions_${(cursors++).toString(36)}`;
  await client.query(
    `declare ${cursor} no scroll cursor for select * from (${text}) as found order by ${order}`,
    values,
  );
  for (const { rows, bytes } of portions.rows) {
    signal.throwIfAborted();
    budget.spend(bytes);
    const found = await client.query<Row>({
      text: `fetch ${rows} from ${cursor}`,
      binary: true,
    } as pg.QueryConfig);
    yield* found.rows;
  }
  signal.throwIfAborted();
  await client.query(`close ${cursor}`);
}

let cursors = 0;
